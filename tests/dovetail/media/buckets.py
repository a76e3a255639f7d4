"""Fixtures of a real S3 server, for the tests that ask for one. tests/conftest.py has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as project
from django.core.files.storage import default_storage
from pytest_django.fixtures import Settings

from config.s3 import Bucket
from dovetail.devtools.embedded.seaweedfs import Server
from dovetail.devtools.embedded.testing import throwaway_s3
from dovetail.devtools.errors import SetupError


def options(environment: dict[str, str], **others: Any) -> dict[str, Any]:
    """Return the options of a storage, as the settings make them."""
    bucket = Bucket(
        name=environment["S3_BUCKET"],
        endpoint_url=environment["S3_ENDPOINT_URL"],
        region=environment["S3_REGION"],
        key=environment["S3_ACCESS_KEY_ID"],
        secret=environment["S3_SECRET_ACCESS_KEY"],
        addressing_style="",
        custom_domain="",
        lifetime=3600,
    )
    bucket.check()
    return bucket.options() | others


def store_in(settings: Settings, server: Server, **others: Any) -> Any:
    """Store uploads on this server for the rest of a test, and return the storage."""
    import_module(project.ROOT_URLCONF)  # as long as the site itself serves uploads
    entry = {
        "BACKEND": "dovetail.media.s3.S3Storage",
        "OPTIONS": options(server.environment(), **others),
    }
    settings.STORAGES = settings.STORAGES | {"default": entry}
    return default_storage


@contextmanager
def server_of_its_own() -> Iterator[tuple[Server, Any]]:
    """Run a server that a test may kill, and yield it with its process.

    The test is skipped where none can be installed, as in the sandbox of a build.
    """
    try:
        with throwaway_s3(project.DATA_DIR, "http://site.example") as started:
            yield started
    except SetupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    """Run the server. Its tests are in a group, so that only one worker does."""
    with server_of_its_own() as (server, _):
        yield server


@pytest.fixture
def s3(s3_server: Server, settings: Settings) -> Any:
    """Store uploads in S3, and return the storage."""
    return store_in(settings, s3_server)
