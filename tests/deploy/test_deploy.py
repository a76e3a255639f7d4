"""bin/deploy replaces containers in the right order, and stops with the old ones serving."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT

OLD, NEW = "site:old", "site:new"
pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="flock is not on PATH")


class Server:
    """A server with a checkout, on which an image runs already.

    Attributes:
        folder: the checkout.
        web: the ids of its web containers.
    """

    def __init__(self, folder: Path, *, web: int = 1) -> None:
        self.folder = folder / "checkout"
        (self.folder / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "bin/deploy", self.folder / "bin/deploy")
        (self.folder / ".env").write_text(f"DOMAIN=site.example\nIMAGE={OLD}\n")
        docker = folder / "docker"
        fake = ROOT / "tests/deploy/fake_docker.py"
        docker.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{fake}' \"$@\"\n")
        docker.chmod(0o755)
        self.file = folder / "state.json"
        services = ["web"] * web + ["worker", "beat", "caddy"]
        containers: list[dict[str, Any]] = [
            {"id": f"{i:x}" * 64, "service": name, "image": OLD, "healthy": True, "runs": True}
            for i, name in enumerate(services, 10)
        ]
        self.web = [str(one["id"]) for one in containers if one["service"] == "web"]
        self.state: dict[str, Any] = {
            "containers": containers,
            "images": [OLD, NEW],
            "registry": ["registry/site:2"],
            "services": ["web", "worker", "beat", "caddy"],
            "route": [],
            "fails": [],
            "count": 0,
            "events": [],
            "failed": [],
        }
        self.environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "STATE": str(self.file),
            "HOME": str(folder),
        }

    def deploy(
        self, *arguments: str, fails: Sequence[str] = ()
    ) -> "subprocess.CompletedProcess[str]":
        self.file.write_text(json.dumps(self.state | {"fails": fails}))
        result = subprocess.run(
            ["bash", self.folder / "bin/deploy", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.state = json.loads(self.file.read_text())
        return result

    def set(self, **settings: str) -> None:
        """Add settings to .env."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.folder / ".env").write_text(self.remembered + "".join(lines))

    @property
    def events(self) -> list[str]:
        """What Docker was told, with short names of containers."""
        names = {id_: f"old{i}" for i, id_ in enumerate(self.web)}
        new = [one["id"] for one in self.state["containers"] if one["id"] not in names]
        names |= dict.fromkeys(new, "new")
        text = "\n".join(self.state["events"])
        for id_, name in names.items():
            text = text.replace(id_, name).replace(f"{id_[:12]}:8000", name)
        return text.splitlines()

    def images(self, service: str) -> list[str]:
        containers = self.state["containers"]
        return [one["image"] for one in containers if one["service"] == service and one["runs"]]

    @property
    def remembered(self) -> str:
        return (self.folder / ".env").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_everything_is_replaced_in_order(server: Server) -> None:
    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert server.events == [
        f"migrate {NEW}",
        f"workers {NEW}",
        "route old0",
        f"scale web=2 {NEW}",
        "route new",
        "stop old0",
        "rm old0",
        "route",
        "proxy",
    ]
    assert server.state["failed"] == []
    assert server.images("web") == server.images("worker") == server.images("beat") == [NEW]
    assert server.remembered == f"DOMAIN=site.example\nIMAGE={NEW}\n"
    assert f"bin/deploy {OLD} goes back" in result.stdout


@pytest.mark.parametrize(("before", "after"), [(3, 3), (1, 3), (3, 1)])
def test_as_many_web_processes_as_the_settings_say_run_afterwards(
    tmp_path: Path, before: int, after: int
) -> None:
    server = Server(tmp_path, web=before)
    server.set(WEB_REPLICAS=str(after))

    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert f"scale web={before + after}" in " ".join(server.events)
    assert server.images("web") == [NEW] * after
    assert server.state["failed"] == []


def test_number_of_web_processes_that_is_none_is_refused(server: Server) -> None:
    server.set(WEB_REPLICAS="many")

    result = server.deploy(NEW)

    assert result.returncode == 1
    assert "WEB_REPLICAS in .env must be a number" in result.stderr
    assert server.events == []


@pytest.mark.parametrize("step", ["starting", "stop"])
def test_interrupted_deployment_is_finished_by_the_next_one(server: Server, step: str) -> None:
    result = server.deploy(NEW, fails=[step])
    assert result.returncode != 0
    assert server.state["failed"] == []
    assert set(server.images("web")) == {NEW if step == "stop" else OLD}
    assert server.state["route"] == []

    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert server.state["failed"] == []
    assert server.images("web") == server.images("worker") == [NEW]
    assert len([one for one in server.state["containers"] if one["service"] == "web"]) == 1


def test_container_that_could_not_start_is_not_started_by_the_next_deployment(
    server: Server,
) -> None:
    assert server.deploy(NEW, fails=["created"]).returncode == 1
    assert [one["image"] for one in server.state["containers"] if one["service"] == "web"] == [OLD]

    assert server.deploy(NEW).returncode == 0
    assert server.images("web") == [NEW]


def test_services_of_a_new_profile_are_started(server: Server) -> None:
    server.state["services"].append("jaeger")

    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert "start jaeger" in server.events
    assert server.state["failed"] == []


@pytest.mark.parametrize(
    ("step", "count", "message"),
    [
        ("migrate", 1, "The migrations failed"),
        ("workers", 1, "The new workers are not healthy"),
        ("web", 1, "The new web processes are not healthy"),
        ("web", 2, "The new web processes are not healthy"),
        ("proxy", 1, "The proxy did not take the new web processes"),
        (
            "proxy",
            2,
            "The proxy did not take its configuration",
        ),  # with two, the first command fails
    ],
)
def test_failure_leaves_the_old_ones_serving(
    tmp_path: Path, step: str, count: int, message: str
) -> None:
    server = Server(tmp_path, web=count)

    result = server.deploy(NEW, fails=[step])

    assert result.returncode == 1
    assert message in result.stderr
    assert server.images("web") == [OLD] * count
    assert server.images("worker") == [OLD]
    assert server.state["failed"] == []
    assert f"IMAGE={OLD}\n" in server.remembered


def test_previous_image_is_deployed_again(server: Server) -> None:
    server.deploy(NEW)
    server.web = [one["id"] for one in server.state["containers"] if one["service"] == "web"]

    result = server.deploy(OLD)

    assert result.returncode == 0, result.stderr
    assert server.images("web") == [OLD]
    assert f"IMAGE={OLD}\n" in server.remembered


def test_image_comes_from_the_registry(server: Server) -> None:
    assert server.deploy("registry/site:2").returncode == 0

    assert server.images("web") == ["registry/site:2"]


def test_image_that_does_not_exist_changes_nothing(server: Server) -> None:
    result = server.deploy("registry/site:3")

    assert result.returncode == 1
    assert "There is no image registry/site:3" in result.stderr
    assert server.events == []


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on PATH")
@pytest.mark.parametrize("fails", [[], ["build"]])
def test_checkout_is_built(server: Server, fails: list[str]) -> None:
    git = ["git", "-C", str(server.folder), "-c", "user.name=A", "-c", "user.email=a@b.example"]
    for command in (["init", "-q"], ["add", "bin"], ["commit", "-qm", "One"]):
        subprocess.run([*git, *command], check=True, env=server.environment)
    revision = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()

    result = server.deploy(fails=fails)

    assert server.events[0] == f"build site:{revision}"
    assert result.returncode == len(fails)
    assert server.images("web") == [OLD if fails else f"site:{revision}"]
    assert server.state["failed"] == []
    if fails:
        assert "Nothing has changed" in result.stderr


def test_first_deployment_starts_everything(server: Server) -> None:
    server.state["containers"] = []

    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert server.events == [f"up {NEW}"]
    assert f"IMAGE={NEW}\n" in server.remembered


def test_first_deployment_that_failed_at_the_proxy_is_finished(server: Server) -> None:
    """Kind: port 80 is taken by a web server that came with the machine."""
    server.state["containers"] = []
    result = server.deploy(NEW, fails=["port"])
    assert result.returncode == 1
    assert "Run this again" in result.stderr

    result = server.deploy(NEW)

    assert result.returncode == 0, result.stderr
    assert server.images("web") == server.images("caddy") == [NEW]
    assert f"IMAGE={NEW}\n" in server.remembered


def test_server_without_settings_is_told_what_to_do(server: Server) -> None:
    (server.folder / ".env").unlink()

    result = server.deploy(NEW)

    assert result.returncode == 1
    assert "run bin/secrets" in result.stderr
    assert server.events == []


def test_second_deployment_at_the_same_time_is_refused(server: Server) -> None:
    lock = server.folder / ".env.lock"
    with subprocess.Popen(
        ["flock", lock, "sh", "-c", "echo; read x"], stdin=-1, stdout=-1
    ) as other:
        assert other.stdout
        other.stdout.readline()

        result = server.deploy(NEW)
        other.communicate(b"\n")

    assert result.returncode == 1
    assert "Another bin/deploy is running" in result.stderr
