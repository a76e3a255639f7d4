"""The settings of the bucket for uploads."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.s3 import Bucket
from tests.config.test_settings import (
    PRODUCTION,
    PRODUCTION_MODULE,
    check_production,
    load,
    run,
)

__all__ = ["load"]

AMAZON = Bucket(
    name="uploads",
    endpoint_url="",
    region="eu-central-1",
    key="key",
    secret="secret",
    addressing_style="",
    custom_domain="",
    lifetime=3600,
)
IN_S3 = {
    "S3_BUCKET": "uploads",
    "S3_REGION": "eu-central-1",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
    "TRUSTED_PROXY_COUNT": "1",
}


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, "https://uploads.s3.eu-central-1.amazonaws.com"),
        ({"addressing_style": "path"}, "https://s3.eu-central-1.amazonaws.com"),
        ({"endpoint_url": "https://s3.example:9000/"}, "https://s3.example:9000"),
        (
            {"endpoint_url": "https://s3.example", "addressing_style": "virtual"},
            "https://uploads.s3.example",
        ),
        ({"endpoint_url": "http://[::1]:9000"}, "http://[::1]:9000"),
        ({"endpoint_url": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000"),
        ({"name": "up.loads", "addressing_style": "path"}, "https://s3.eu-central-1.amazonaws.com"),
    ],
)
def test_origin_is_where_links_lead_to(changes: dict[str, str], origin: str) -> None:
    """Kind: a policy that names another origin than boto3 does."""
    from dovetail.media.s3 import S3Storage  # noqa: PLC0415 - imports boto3

    bucket = replace(AMAZON, **changes)  # type: ignore[arg-type] # all of them are text
    bucket.check()
    storage = S3Storage(**bucket.options())

    assert bucket.origin == origin == storage.origin
    assert storage.url("a.webp").startswith(origin)
    assert "%2Feu-central-1%2Fs3%2F" in storage.url("a.webp")
    form = storage.form("a", size=1, content_type="image/png", lifetime=60)
    assert form["url"].startswith(origin)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "s3://uploads"}, "S3_BUCKET must be the name of a bucket"),
        ({"name": "Uploads"}, "S3_BUCKET must be the name of a bucket"),
        ({"name": "up.loads"}, "S3_BUCKET has a dot"),
        ({"region": ""}, "S3_REGION must be set"),
        ({"region": "eu central"}, "S3_REGION must be the name of a region"),
        ({"region": "EU-central-1"}, "S3_REGION must be the name of a region"),
        ({"region": "x/y", "endpoint_url": "https://s3.example"}, "S3_REGION must be the name"),
        ({"region": "ü", "endpoint_url": "https://s3.example"}, "S3_REGION must be the name"),
        ({"endpoint_url": "http://minio_s3:9000"}, "S3_ENDPOINT_URL must have a host of letters"),
        ({"endpoint_url": "http://ü.example"}, "S3_ENDPOINT_URL must have a host of letters"),
        ({"endpoint_url": "https://a..b"}, "S3_ENDPOINT_URL must have a host of letters"),
        ({"endpoint_url": "https://-a.b"}, "S3_ENDPOINT_URL must have a host of letters"),
        ({"endpoint_url": "https://a%20b"}, "S3_ENDPOINT_URL must have a host of letters"),
        ({"endpoint_url": "https://a,b"}, "S3_ENDPOINT_URL is malformed"),
        ({"endpoint_url": "https://s3.example/uploads"}, "S3_ENDPOINT_URL must have no path"),
        ({"endpoint_url": "https://key:secret@s3.example"}, "S3_ENDPOINT_URL must have no path"),
        ({"secret": ""}, "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together"),
        ({"key": ""}, "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together"),
        ({"addressing_style": "auto"}, "S3_ADDRESSING_STYLE must be path"),
        ({"custom_domain": "https://files.example"}, "S3_CUSTOM_DOMAIN must be the name"),
        ({"custom_domain": "files.example:99999"}, "S3_CUSTOM_DOMAIN must be the name"),
        ({"custom_domain": "files.example:0"}, "S3_CUSTOM_DOMAIN must be the name"),
        ({"custom_domain": "-.-"}, "S3_CUSTOM_DOMAIN must be the name"),
        ({"lifetime": 604_801}, "S3_URL_LIFETIME must be at most 604800"),
    ],
)
def test_error_names_the_setting(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{sentence}") as error:
        replace(AMAZON, **changes).check()  # type: ignore[arg-type] # all but one are text
    assert "secret@" not in str(error.value)


def test_secret_is_not_shown() -> None:
    assert "secret='" not in repr(replace(AMAZON, secret="hidden"))
    assert "hidden" not in repr(replace(AMAZON, secret="hidden"))


def test_missing_client_is_reported(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "boto3" else name)

    with pytest.raises(ImproperlyConfigured, match="`uv sync --extra s3`, or unset S3_BUCKET"):
        load(**IN_S3)


def test_settings_are_checked(load: Callable[..., ModuleType]) -> None:
    with pytest.raises(ImproperlyConfigured, match="S3_REGION must be set"):
        load(**IN_S3 | {"S3_REGION": ""})
    assert load(**IN_S3).S3_BUCKET == "uploads"


def test_production_starts_with_s3(tmp_path: Path) -> None:
    """It needs no volume then, and browsers may load uploads and send them."""
    result = check_production(**IN_S3, DATA_DIR=str(tmp_path))
    issues = set(re.findall(r"\((\w+\.[EW]\d+)\)", result.stderr))
    missing = {"django_vite.W001", "dovetail.E101", "dovetail.W105"}  # the built front end, hosts
    away = {"dovetail.W103", "dovetail.W114", "dovetail.W119", "dovetail.W120"}  # the services
    assert issues <= missing | away, result.stderr

    code = f"from {PRODUCTION_MODULE} import SECURE_CSP as p; print(p['img-src'], p['connect-src'])"
    printed = run("-c", code, PYTHONPATH="project", **PRODUCTION, **IN_S3).stdout
    assert printed.count("https://uploads.s3.eu-central-1.amazonaws.com") == 2
