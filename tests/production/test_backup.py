"""The restore drill with the image: the site is lost, and comes back on another server."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from dovetail.devtools.embedded.postgres import Binaries
from dovetail.devtools.embedded.testing import throwaway_postgres
from tests.apps.users.conftest import SECRET, totp_code
from tests.production.conftest import ADD_USER, EMAIL, Site, Visitor, wait_until_it_answers
from tests.production.image import Image, Web

TITLE, PICTURE = "Joints that outlive their makers", "covers/0123456789abcdef0123456789abcdef.png"
FILL = f"""
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from apps.articles.models import Article, Category, Comment
from apps.users.models import User
ada = User.objects.get(email="{EMAIL}")
article = Article(author=ada, title="{TITLE}", body="On wood.", category=Category.DESIGN)
article.cover.name = default_storage.save("{PICTURE}", ContentFile(b"a picture"))
article.save()
article.publish()
for number in range(20):
    Comment.objects.create(article=article, author=ada, body=f"Comment {{number}}")
RecoveryCodes.activate(ada)
TOTP.activate(ada, "{SECRET}")
"""

FORGET = """
from allauth.mfa.models import Authenticator
Authenticator.objects.all().delete()
"""


def programs() -> str:
    """Return the folder of pg_dump; tests/conftest.py has found a server that it belongs to."""
    folder = settings.PG_BIN or str(Path(shutil.which("pg_dump") or "/none/pg_dump").parent)
    if not Path(folder, "pg_dump").exists():
        pytest.skip("pg_dump is neither embedded nor on PATH")
    return folder


def older_server() -> Binaries:
    """Return the installation of a server of a former major version."""
    mine = Binaries(Path(programs()), "")
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin")):
        found = Binaries(folder, f"from {folder}")
        if (folder / "initdb").exists() and 15 <= found.major < mine.major:
            return found
    pytest.skip("there is no second major version of PostgreSQL below /usr/lib/postgresql")


def prepare(administrator: str) -> str:
    """Create a database that belongs to a user who is no superuser, and return its URL."""
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("CREATE ROLE site LOGIN PASSWORD 'secret'")
        connection.execute("CREATE DATABASE site OWNER site")
    inside = urlsplit(administrator)._replace(path="/site").geturl()
    with psycopg.connect(inside, autocommit=True) as connection:
        available = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_search'"
        if connection.execute(available).fetchone():
            connection.execute("CREATE EXTENSION pg_search CASCADE")
    host = urlsplit(administrator).netloc.rpartition("@")[2]
    return f"postgres://site:secret@{host}/site"


def has_paradedb(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_search'")
        return found.fetchone() is not None


@contextmanager
def new_server(binaries: Binaries | None = None) -> Iterator[str]:
    with throwaway_postgres(settings.DATA_DIR, binaries) as administrator:
        yield prepare(administrator)


@contextmanager
def restored(site: Site, folder: Path, **changes: str) -> Iterator[Visitor]:
    """Start the web process of a restored site behind the proxy."""
    web = Web(site.image, folder / "restored.log", **changes)
    before, site.proxy.upstream = site.proxy.upstream, web.port
    try:
        assert wait_until_it_answers(web).json()["status"] == "ok"
        with site.visitor() as visitor:
            yield visitor
    finally:
        site.proxy.upstream = before
        web.stop()


def check_site(visitor: Visitor) -> None:
    """Search, see the picture, and sign in with the former password and second factor."""
    assert TITLE in visitor.page("/articles/?q=outlive").text
    assert visitor.page(f"/media/{PICTURE}").content == b"a picture"
    assert visitor.sign_in().url.endswith("/accounts/2fa/authenticate/")
    visitor.submit("/accounts/2fa/authenticate/", {"code": totp_code()})
    visitor.submit("/accounts/2fa/trust/", {"action": "trust"})
    page = visitor.page("/articles/mine/")
    assert page.url.endswith("/articles/mine/"), page.url
    assert page.status_code == 200


@pytest.fixture
def filled(site: Site) -> Iterator[Image]:
    """The site of all tests here; only meanwhile, its user has a second factor."""
    _fill(site.image)
    yield site.image
    site.image.run("manage", "shell", "--no-imports", "--command", FORGET)


def test_site_is_restored_on_a_new_server(site: Site, filled: Image, tmp_path: Path) -> None:
    """Encrypted, in a folder, into a database of a user that is no superuser."""
    image = filled
    backups = tmp_path / "backups"
    backups.mkdir()
    common: dict[str, Any] = {"PG_BIN": programs(), "BACKUP_DIR": str(backups)}
    public = image.run("manage", "backup_key", str(tmp_path / "key")).stdout.strip()
    image.run("manage", "backup", **common, BACKUP_RECIPIENTS=public)

    with new_server() as url:
        new: dict[str, Any] = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data")}
        refused = image.run("manage", "restore", **common, **new, check=False)
        assert refused.returncode == 1
        assert re.fullmatch(r"CommandError: The backup .* --identity\.\n", refused.stderr)
        key = ("--identity", str(tmp_path / "key"))
        image.run("manage", "restore", *key, "--check-only", **common, **new)
        said = image.run("manage", "restore", *key, **common, **new).stdout
        assert "all of them" in said
        assert "checksums are those of the backup" in said

        with restored(site, tmp_path, **new) as visitor:
            check_site(visitor)


def test_site_moves_to_a_newer_postgresql(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a former major version with native search to this one, with ParadeDB if it has it."""
    image = site.image
    backups = tmp_path / "backups"
    backups.mkdir()
    common: dict[str, Any] = {"PG_BIN": programs(), "BACKUP_DIR": str(backups)}
    with new_server(older_server()) as url, monkeypatch.context() as context:
        former: dict[str, Any] = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path / "former")}
        for name, value in former.items():
            context.setitem(image.environment, name, value)
        image.run("migrate", "--verbosity=0")
        _fill(image, new=True)
        assert (
            "PostgreSQL, article_search_gin"
            in image.run("manage", "search_index", "--status").stdout
        )
        image.run("manage", "backup", **common)

    with new_server() as url:
        new: dict[str, Any] = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data")}
        image.run("manage", "restore", "--keep-outbox", **common, **new)
        status = image.run("manage", "search_index", "--status", **new).stdout
        expected = "ParadeDB, article_search ready" if has_paradedb(url) else "PostgreSQL, article"
        assert expected in status

        with restored(site, tmp_path, **new) as visitor:
            check_site(visitor)


def _fill(image: Image, *, new: bool = False) -> None:
    script = f"{ADD_USER}\n{FILL}" if new else FILL
    image.run("manage", "shell", "--no-imports", "--command", script)
