"""bin/secrets writes each secret once, and fits what docker-compose.yml asks for."""

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deploy.test_compose import COMPOSE
from tests.repository import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin/secrets", tmp_path / "bin")
    return tmp_path


def run(checkout: Path) -> str:
    return subprocess.check_output(["bash", checkout / "bin/secrets"], text=True)


def contents(checkout: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (checkout / "secrets").iterdir()}


def test_every_secret_of_compose_is_written(checkout: Path) -> None:
    run(checkout)

    for secret in COMPOSE["secrets"].values():
        assert (checkout / secret["file"]).read_text().strip(), secret


def test_folder_is_closed_and_its_files_can_be_read_by_containers(checkout: Path) -> None:
    run(checkout)

    assert (checkout / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {path.stat().st_mode & 0o777 for path in (checkout / "secrets").iterdir()}
    assert modes == {0o644}


def test_nothing_is_overwritten(checkout: Path) -> None:
    run(checkout)
    (checkout / "secrets/email_url").write_text("smtp://localhost:25")
    (checkout / "secrets/valkey_url").unlink()
    before = contents(checkout)

    output = run(checkout)

    after = contents(checkout)
    assert output.splitlines() == ["Wrote secrets/valkey_url"]
    assert after.items() >= before.items()
    assert run(checkout) == "Nothing to write: all secrets are there.\n"


def test_secrets_are_not_printed(checkout: Path) -> None:
    output = run(checkout)

    assert contents(checkout)["secret_key"] not in output
    assert len(output.splitlines()) == len(contents(checkout))


def test_each_is_random_and_servers_have_the_password_of_the_urls(checkout: Path) -> None:
    run(checkout)
    found = contents(checkout)
    names = [name for name in found if name.endswith(("_password", "_key"))]

    assert len({found[name] for name in names}) == len(names)
    assert len(found["secret_key"]) >= 50
    assert urlsplit(found["database_url"]).password == found["site_password"]
    assert urlsplit(found["valkey_url"]).password == found["valkey_password"]
    assert f"default_pass = {urlsplit(found['broker_url']).password}\n" in found["rabbitmq.conf"]
    [identity] = json.loads(found["s3.json"])["identities"]
    assert identity["credentials"][0]["secretKey"] == found["s3_secret_key"]


@pytest.mark.parametrize("path", ["secrets/secret_key", ".env", "site.env"])
def test_git_does_not_see_them(path: str) -> None:
    patterns = (ROOT / ".gitignore").read_text().splitlines()

    assert {path, f"/{path}", f"/{path.partition('/')[0]}/"} & set(patterns)
