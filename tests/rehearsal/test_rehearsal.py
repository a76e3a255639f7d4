"""A release changes the schema under traffic: former code works on it, new code waits for it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.cable.servers import wait_until
from tests.production.image import Image, Web
from tests.rehearsal import versions
from tests.rehearsal.conftest import PASSWORD, PEOPLE, START, Release
from tests.rehearsal.visitors import read, write

REQUESTS = 300  # in each step


def readiness(web: Web) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{web.port}/readyz", timeout=60)


def is_up(web: Web) -> bool:
    try:
        return readiness(web).status_code > 0
    except requests.ConnectionError:
        assert web.process.poll() is None, web.log.read_text()
        return False


def rehearse(release: Release, former: Image, new: Image) -> None:
    """Release new code as docs/release.md says, with visitors all the time."""
    release.prepare(former)
    old = release.start(former)
    release.wait_until_ready(old)
    release.traffic.add(read, number=2)
    release.traffic.add(write(PEOPLE, PASSWORD), number=2)
    release.wait_for_requests(REQUESTS)

    early = release.start(new)  # before the migrations, as when the order of a rollout is wrong
    wait_until(lambda: is_up(early), "the new server is up", START)
    plan = new.run("manage", "migrate", "--plan", DATABASE_URL=release.database).stdout
    if "No planned migration operations" not in plan:
        answer = readiness(early)
        assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, "due")
        release.wait_for_requests(REQUESTS)
        assert early.port not in release.balancer.served

    new.run("migrate", "--verbosity=0", DATABASE_URL=release.database)
    release.wait_until_ready(early)
    release.wait_for_requests(REQUESTS)  # both versions answer, on the new schema

    again = release.start(former)  # as after a rollback, or a crash
    release.wait_until_ready(again)
    release.drain(old)
    release.wait_for_requests(REQUESTS)
    release.drain(again)
    release.wait_for_requests(REQUESTS)
    release.traffic.end()
    assert all(web.port in release.balancer.served for web in (old, early, again))


def test_release_fails_no_request(
    release: Release, assemble: Callable[[Path], Image], image: Image, tmp_path: Path
) -> None:
    """The last release and this code, if there is a tag; otherwise this code and a planted one."""
    former = versions.released(tmp_path)
    if former:
        rehearse(release, assemble(former), image)
    else:
        rehearse(release, image, assemble(versions.planted(tmp_path, versions.EXPANDS)))

    assert release.traffic.failures == {}
    assert {"POST comments", "POST edit", "GET search", "GET api"} <= set(release.traffic.answers)


@pytest.mark.parametrize(
    "change",
    [versions.RENAMES, versions.REQUIRES],
    ids=["renamed column", "column without a default in the database"],
)
def test_release_that_breaks_former_code_is_found(
    release: Release,
    assemble: Callable[[Path], Image],
    image: Image,
    tmp_path: Path,
    change: tuple[str, str],
) -> None:
    """Kind: a rehearsal that finds nothing, whatever the migrations do."""
    rehearse(release, image, assemble(versions.planted(tmp_path, change)))

    assert "POST comments: 500" in release.traffic.failures
    assert not {name for name in release.traffic.failures if "GET /:" in name}


def test_former_code_is_that_of_the_last_tag(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    manage = repository / "project" / "manage.py"
    manage.parent.mkdir(parents=True)
    git = ["git", "-C", str(repository), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]

    def commit(text: str) -> None:
        manage.write_text(text)
        for command in (["add", "."], ["commit", "--quiet", "--message", text]):
            subprocess.run([*git, *command], check=True)

    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    commit("first")
    assert versions.released(tmp_path, repository) is None
    subprocess.run([*git, "tag", "v1.0.0"], check=True)
    commit("second")

    former = versions.released(tmp_path / "former", repository)

    assert former
    assert (former / "manage.py").read_text() == "first"
