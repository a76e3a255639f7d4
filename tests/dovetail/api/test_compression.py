import gzip
import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from dovetail.api import compression
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

ACCEPTED = {"accept-encoding": "gzip, br"}


def test_answer_is_compressed_for_those_who_accept_it() -> None:
    url = f"/api/v1/articles/{make_article(body='Wood holds wood. ' * 100).pk}/"
    plain, compressed = APIClient().get(url), APIClient().get(url, headers=ACCEPTED)

    assert "Content-Encoding" not in plain.headers
    assert compressed["Content-Encoding"] == "gzip"
    assert len(compressed.content) < len(plain.content) / 2
    assert compressed["Content-Length"] == str(len(compressed.content))
    assert json.loads(gzip.decompress(compressed.content)) == plain.json()
    for answer in (plain, compressed):
        assert "Accept-Encoding" in answer["Vary"]


def test_answer_is_not_compressed_for_those_who_refuse_it() -> None:
    url = f"/api/v1/articles/{make_article(body='Wood holds wood. ' * 100).pk}/"
    answer = APIClient().get(url, headers={"accept-encoding": "gzip;q=0, br"})

    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer["Vary"]


def test_what_is_compressed_is_still_known_by_its_etag() -> None:
    """Kind: compression makes an ETag weak, and no change is ever accepted again."""
    as_author = APIClient()
    as_author.force_login(make_user())
    created = as_author.post("/api/v1/articles/", {"title": "New", "body": "Text" * 100})
    url = created["Location"]
    etag = as_author.get(url, headers=ACCEPTED)["ETag"]
    change = {"title": "Changed"}

    assert etag.startswith("W/")
    assert as_author.get(url, headers={"if-none-match": etag}).status_code == 304
    assert as_author.patch(url, change, headers={"if-match": etag}).status_code == 200
    assert as_author.patch(url, change, headers={"if-match": etag}).status_code == 412


def test_what_would_hold_up_other_requests_is_not_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"/api/v1/articles/{make_article(body='Wood holds wood. ' * 100).pk}/"
    monkeypatch.setattr(compression, "LARGEST", 1000)

    assert "Content-Encoding" not in APIClient().get(url, headers=ACCEPTED).headers


def test_pages_are_left_to_the_proxy() -> None:
    for url in ("/", "/api/v1/docs/"):
        assert "Content-Encoding" not in Client().get(url, headers=ACCEPTED).headers
