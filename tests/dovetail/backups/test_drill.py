"""The restore drill: a site is lost, and comes back from its backup in another place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.models import User
from dovetail.backups import encryption
from dovetail.devtools.embedded.seaweedfs import BUCKET, Server
from tests.apps.users.conftest import PASSWORD, add_totp, totp_code
from tests.dovetail.backups.conftest import (
    PICTURE,
    Elsewhere,
    content_of_tables,
    content_of_uploads,
    run,
    upload,
)
from tests.dovetail.media.buckets import options, store_in
from tests.factories import make_article, make_comment, make_member

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("client_programs"),
]


@pytest.fixture
def identity(settings: Settings, tmp_path: Path) -> Path:
    """Have backups encrypted, and return the file of the private key."""
    file = tmp_path / "identity.txt"
    settings.BACKUP_RECIPIENTS = [run("backup_key", file).strip()]
    return file


def fill() -> User:
    """Create a site: people, texts, uploads, sessions, and a second factor."""
    user = make_member("ada@example.org", password=PASSWORD, display_name="Ada Ålund\t\\.\n")
    article = make_article(user, title="Half-blind dovetails", body="\\.\nCOPY x FROM stdin;\n\\N")
    make_comment(article, user)
    Client().force_login(user)
    Session.objects.create(session_key="s" * 32, session_data="", expire_date=article.created_at)
    add_totp(user)
    upload()
    upload("covers/two.bin", bytes(range(256)) * 8192)  # larger than a chunk of encryption
    upload("a.txt", b"")
    return user


def check_site() -> None:
    """Use the site as its people do."""
    assert Article.objects.search("dovetail").get().title == "Half-blind dovetails"
    client = Client()
    answer = client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    client.post("/accounts/2fa/authenticate/", {"code": totp_code()})
    client.post("/accounts/2fa/trust/", {"action": "trust"})
    assert "_auth_user_id" in client.session
    with default_storage.open(PICTURE) as file:
        assert file.read() == b"a picture"


def test_encrypted_backup_is_restored_elsewhere(
    identity: Path, elsewhere: Elsewhere, settings: Settings, tmp_path: Path
) -> None:
    fill()
    tables, files = content_of_tables(), content_of_uploads()
    made = run("backup")
    assert "Made the backup" in made
    stored = [path for path in (tmp_path / "backups").rglob("*") if path.is_file()]
    assert not any(b"ada@example.org" in path.read_bytes() for path in stored)
    assert {path.suffix for path in stored} == {encryption.SUFFIX, ".json", ".jsonl"}

    settings.MEDIA_ROOT = str(tmp_path / "new media")
    with elsewhere():
        said = run("restore", identity=identity)

        assert "all of them" in said
        assert content_of_tables() == tables
        assert content_of_uploads() == files
        assert run("search_index", status=True)
        check_site()


@pytest.mark.xdist_group("s3")
def test_site_and_backup_in_s3(
    identity: Path,
    s3_server: Server,
    settings: Settings,
    elsewhere: Elsewhere,
    bucket: str,
) -> None:
    """Also that the bucket of the uploads is another one than that of the backups."""
    store_in(settings, s3_server)
    settings.BACKUP_PLACE = {
        "BACKEND": "dovetail.backups.places.Bucket",
        "OPTIONS": options(s3_server.environment()) | {"bucket_name": bucket, "prefix": "site/"},
    }
    fill()
    tables, files = content_of_tables(), content_of_uploads()
    run("backup")
    run("backup", verify="", identity=identity)
    for name in files:
        default_storage.delete(name)
    keys = s3_server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert all(each["Key"].startswith("site/") for each in keys)

    with elsewhere():
        run("restore", identity=identity)

        assert content_of_tables() == tables
        assert content_of_uploads() == files
        check_site()


@pytest.fixture
def bucket(s3_server: Server) -> Iterator[str]:
    client: Any = s3_server.client()
    name = "backups"
    client.create_bucket(Bucket=name)
    yield name
    for key in client.list_objects_v2(Bucket=name).get("Contents", ()):
        client.delete_object(Bucket=name, Key=key["Key"])
    client.delete_bucket(Bucket=name)
    for key in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=key["Key"])
