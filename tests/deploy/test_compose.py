"""docker-compose.yml is valid, and each of its services is closed to what it does not need."""

import copy
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from config import env
from tests.repository import ROOT

FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
ROLES = {"web", "worker", "beat", "migrate"}
STORES = {"postgres", "valkey", "rabbitmq", "memcached"}
# A version with two numbers at least, and at best a digest.
PINNED = re.compile(r"[a-z.]+/[a-z/-]+:[0-9]+\.[0-9][a-z0-9.-]*(@sha256:[0-9a-f]{64})?")
# Services that end, and one whose image has no program that could ask it anything.
NO_HEALTH = {"migrate", "seaweedfs-volume", "collector"}
CAPABILITIES = {"caddy": ["NET_BIND_SERVICE"], "seaweedfs-volume": ["CHOWN"]}
# Who may name a password in the environment: nobody.
SECRET = re.compile(r"(?i)password|secret|token|_url$|_key$")
NO_SECRETS = {"SITE_URL", "MEMCACHED_URL"}


def no_compose() -> str:
    """Return why Docker's own parser cannot be asked; "" if it can."""
    if not shutil.which("docker"):
        return "docker is not on PATH"
    command = ["docker", "compose", "version"]
    found = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return "" if found else "docker has no Compose here"


compose_go = pytest.mark.skipif(
    bool(tools.missing("compose-go")), reason=tools.missing("compose-go")
)


def problems(name: str, service: dict[str, Any]) -> list[str]:
    """Return what a service leaves open that it should not."""
    found = []
    if name in ROLES:
        found += [] if service["image"].startswith("${IMAGE:-") else ["another image"]
    elif not PINNED.fullmatch(service["image"]):
        found.append("image is not pinned")
    if service.get("read_only") is not True:
        found.append("root is writable")
    if "no-new-privileges:true" not in service.get("security_opt", []):
        found.append("may gain privileges")
    if service.get("cap_drop") != ["ALL"] or service.get("privileged"):
        found.append("keeps capabilities")
    if service.get("cap_add", []) != CAPABILITIES.get(name, []):
        found.append("adds capabilities")
    if service.get("ports") and name != "caddy":
        found.append("publishes a port")
    if service.get("network_mode", "none") != "none":
        found.append("is in the network of something else")
    if service.get("init"):
        found.append("starts a second init")
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if not {"cpus", "memory", "pids"} <= limits.keys():
        found.append("has no limits")
    health = service.get("healthcheck", {})
    if bool(health.get("disable")) != (name in NO_HEALTH) or not (
        health.get("disable") or "test" in health
    ):
        found.append("has no health check")
    if service.get("logging", {}).get("options", {}).get("max-size") is None:
        found.append("logs without an end")
    if "stop_grace_period" not in service:
        found.append("is killed after 10 seconds")
    for variable, value in service.get("environment", {}).items():
        is_secret = SECRET.search(variable) and not variable.endswith("_FILE")
        if is_secret and variable not in NO_SECRETS:
            found.append(f"has {variable} in its environment")
        if "://" in str(value) and "@" in str(value):
            found.append(f"has a password in {variable}")
    if any(str(volume).startswith("/var/run/docker") for volume in service.get("volumes", [])):
        found.append("controls Docker")
    return found


def validate(text: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    file = folder / "docker-compose.yml"
    file.write_text(text, encoding="utf-8")
    return subprocess.run(
        [*tools.command("compose-go"), *options, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@compose_go
def test_file_is_valid_with_all_profiles(tmp_path: Path) -> None:
    # Its command reads no environment before it fills in variables, so they stay.
    result = validate(TEXT, tmp_path, "-no-interpolation")

    assert result.returncode == 0, result.stderr
    assert set(yaml.safe_load(result.stdout)["services"]) == set(SERVICES)


@compose_go
@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("    healthcheck:\n", "    helthcheck:\n", "helthcheck"),
        ("restart: unless-stopped", "restart: [1]", "restart"),
    ],
)
def test_mistake_is_found(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in TEXT

    result = validate(TEXT.replace(right, wrong), tmp_path, "-no-interpolation")

    assert result.returncode != 0
    assert message in result.stderr


@compose_go
def test_domain_that_is_missing_is_named(tmp_path: Path) -> None:
    result = validate(TEXT, tmp_path)

    assert result.returncode != 0
    assert "Write DOMAIN=your.domain to the file .env" in result.stderr


@pytest.mark.skipif(bool(no_compose()), reason=no_compose())
def test_docker_compose_itself_takes_the_file() -> None:
    result = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--quiet"],
        cwd=ROOT,
        env=os.environ | {"DOMAIN": "site.example"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_closed_to_what_it_does_not_need(name: str) -> None:
    assert problems(name, SERVICES[name]) == []


@pytest.mark.parametrize(
    ("service", "change", "problem"),
    [
        ("valkey", {"image": "docker.io/valkey/valkey:9"}, "image is not pinned"),
        ("postgres", {"read_only": False}, "root is writable"),
        ("rabbitmq", {"security_opt": []}, "may gain privileges"),
        ("memcached", {"cap_drop": ["NET_RAW"]}, "keeps capabilities"),
        ("web", {"cap_add": ["SYS_ADMIN"]}, "adds capabilities"),
        ("postgres", {"ports": ["5432:5432"]}, "publishes a port"),
        ("web", {"network_mode": "host"}, "is in the network of something else"),
        ("worker", {"init": True}, "starts a second init"),
        ("beat", {"deploy": {}}, "has no limits"),
        ("web", {"healthcheck": {"disable": True}}, "has no health check"),
        ("web", {"environment": {"SECRET_KEY": "x"}}, "has SECRET_KEY in its environment"),
        ("worker", {"environment": {"BROKER": "amqp://a:b@c"}}, "has a password in BROKER"),
        ("caddy", {"logging": {}}, "logs without an end"),
        ("caddy", {"volumes": ["/var/run/docker.sock:/run/docker.sock"]}, "controls Docker"),
    ],
)
def test_open_service_is_found(service: str, change: dict[str, Any], problem: str) -> None:
    changed = copy.deepcopy(SERVICES[service]) | change

    assert problem in problems(service, changed)


def test_stores_are_in_a_network_without_a_way_out() -> None:
    assert COMPOSE["networks"]["stores"]["internal"] is True
    for name in STORES:
        service = SERVICES[name]
        assert service.get("networks", []) in ([], ["stores"]), name
        assert bool(service.get("networks")) != (service.get("network_mode") == "none"), name
    assert SERVICES["caddy"]["networks"] == ["front"]


def test_application_waits_until_the_stores_are_healthy() -> None:
    for name in ROLES:
        waits = SERVICES[name]["depends_on"]
        assert STORES <= {one for one in waits if waits[one]["condition"] == "service_healthy"}
        migrated = waits.get("migrate", {}).get("condition")
        assert (migrated == "service_completed_successfully") == (name != "migrate"), name


def test_application_knows_its_settings() -> None:
    """Kind: a setting that is misspelled, and so is left at its default."""
    known = set(env.names_in(ROOT / ".env.example")) | {"DATA_DIR", "PORT"}

    for name in ROLES:
        names = {variable.removesuffix("_FILE") for variable in SERVICES[name]["environment"]}
        assert names - known == set(), name
        for variable, value in SERVICES[name]["environment"].items():
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]


def test_what_services_refer_to_exists() -> None:
    """Of names in other sections, the parser's own command checks none."""
    for name, service in SERVICES.items():
        networks = [*service.get("networks", []), *service.get("build", {}).get("networks", [])]
        assert set(networks) <= set(COMPOSE["networks"]), name
        for needed in service.get("depends_on", {}):
            # Otherwise, it would start services of a profile that was not asked for.
            assert SERVICES[needed].get("profiles") in (None, service.get("profiles")), name


def test_secrets_and_volumes_that_are_declared_are_used() -> None:
    secrets = {
        one if isinstance(one, str) else one["source"]
        for service in SERVICES.values()
        for one in service.get("secrets", [])
    }
    volumes = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }

    assert secrets == set(COMPOSE["secrets"])
    assert volumes == set(COMPOSE["volumes"])


def test_files_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), source


def test_process_compose_does_not_take_the_file_for_its_own() -> None:
    for name in ("compose.yaml", "compose.yml"):
        assert not (ROOT / name).exists()


def test_proxy_is_trusted_once() -> None:
    assert SERVICES["web"]["environment"]["TRUSTED_PROXY_COUNT"] == "1"


def test_proxy_has_the_version_that_is_tested() -> None:
    version = tools.RELEASES["caddy"].rpartition("@v")[2]

    assert f"/caddy:{version}-" in SERVICES["caddy"]["image"]
