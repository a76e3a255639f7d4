"""`check --deploy` names what does not work in S3 although each setting is valid."""

from typing import Any

import pytest
from django.core.checks.registry import registry
from pytest_django.fixtures import Settings

from dovetail.media.checks import check_s3

GOOD = {
    "bucket_name": "uploads",
    "endpoint_url": "https://s3.example",
    "region_name": "us-east-1",
    "access_key": "key",
    "secret_key": "secret",
    "addressing_style": "path",
    "querystring_expire": 3600,
}


def found(settings: Settings, **changes: Any) -> dict[str | None, str]:
    """Return the ids of what is reported, with the remedies."""
    entry = {"BACKEND": "dovetail.media.s3.S3Storage", "OPTIONS": GOOD | changes}
    settings.STORAGES = settings.STORAGES | {"default": entry}
    return {message.id: str(message.hint) for message in check_s3()}


def test_check_runs_with_deploy_only() -> None:
    check: Any = check_s3

    assert check in registry.get_checks(include_deployment_checks=True)
    assert check not in registry.get_checks()


def test_nothing_is_reported_without_a_reason(settings: Settings) -> None:
    assert check_s3() == []  # on the disk
    assert found(settings) == {}


def test_missing_key_is_reported(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    assert "S3_ACCESS_KEY_ID" in found(settings, access_key=None, secret_key=None)["dovetail.W111"]


@pytest.mark.parametrize(
    ("url", "expected"), [("http://s3.example", {"dovetail.W112"}), ("http://127.0.0.1:9", set())]
)
def test_plain_http_to_another_host_is_reported(
    settings: Settings, url: str, expected: set[str]
) -> None:
    assert found(settings, endpoint_url=url).keys() == expected


def test_links_that_end_before_cached_pages_are_reported(settings: Settings) -> None:
    """Kind: pictures that are missing on a page that is cached for longer."""
    assert "more than 601." in found(settings, querystring_expire=601)["dovetail.W113"]
    assert found(settings, querystring_expire=602) == {}
    assert found(settings, querystring_expire=1, custom_domain="files.example") == {}
