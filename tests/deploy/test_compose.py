"""docker-compose.yml is valid, and each of its services is closed to what it does not need."""

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
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


def is_pinned(name: str, service: dict[str, Any]) -> bool:
    image: str = service["image"]
    return image.startswith("${IMAGE:-") if name in ROLES else bool(PINNED.fullmatch(image))


def has_limits(_: str, service: dict[str, Any]) -> bool:
    limits: dict[str, Any] = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return {"cpus", "memory", "pids"} <= limits.keys()


def has_health_check(name: str, service: dict[str, Any]) -> bool:
    health = service.get("healthcheck", {})
    return health == {"disable": True} if name in NO_HEALTH else "test" in health


def has_no_secret(_: str, service: dict[str, Any]) -> bool:
    variables = service.get("environment", {})
    named = {one for one in variables if SECRET.search(one) and not one.endswith("_FILE")}
    in_urls = [value for value in variables.values() if "://" in str(value) and "@" in str(value)]
    return named <= NO_SECRETS and not in_urls


def does_not_control_docker(_: str, service: dict[str, Any]) -> bool:
    return "docker.sock" not in str(service.get("volumes", []))


# What must hold for each service, by what it would be called otherwise.
RULES: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "is not pinned": is_pinned,
    "can write to its root": lambda _, one: one.get("read_only") is True,
    "may gain privileges": lambda _, one: one.get("security_opt") == ["no-new-privileges:true"],
    "keeps capabilities": lambda _, one: one.get("cap_drop") == ["ALL"] and "privileged" not in one,
    "adds capabilities": lambda name, one: one.get("cap_add", []) == CAPABILITIES.get(name, []),
    "publishes a port": lambda name, one: "ports" not in one or name == "caddy",
    "shares a network": lambda _, one: one.get("network_mode", "none") == "none",
    "starts a second init": lambda _, one: "init" not in one,
    "has no limits": has_limits,
    "has no health check": has_health_check,
    "logs without an end": lambda _, one: "max-size" in one.get("logging", {}).get("options", {}),
    "is killed after 10 seconds": lambda _, one: "stop_grace_period" in one,
    "has a secret in its environment": has_no_secret,
    "controls Docker": does_not_control_docker,
}


def problems(name: str, service: dict[str, Any]) -> list[str]:
    """Return what a service leaves open that it should not."""
    return [problem for problem, holds in RULES.items() if not holds(name, service)]


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
        ("valkey", {"image": "docker.io/valkey/valkey:9"}, "is not pinned"),
        ("postgres", {"read_only": False}, "can write to its root"),
        ("rabbitmq", {"security_opt": []}, "may gain privileges"),
        ("memcached", {"cap_drop": ["NET_RAW"]}, "keeps capabilities"),
        ("web", {"cap_add": ["SYS_ADMIN"]}, "adds capabilities"),
        ("postgres", {"ports": ["5432:5432"]}, "publishes a port"),
        ("web", {"network_mode": "host"}, "shares a network"),
        ("worker", {"init": True}, "starts a second init"),
        ("beat", {"deploy": {}}, "has no limits"),
        ("web", {"healthcheck": {"disable": True}}, "has no health check"),
        ("web", {"environment": {"SECRET_KEY": "x"}}, "has a secret in its environment"),
        ("worker", {"environment": {"BROKER": "amqp://a:b@c"}}, "has a secret in its environment"),
        ("caddy", {"logging": {}}, "logs without an end"),
        ("caddy", {"volumes": ["/var/run/docker.sock:/run/docker.sock"]}, "controls Docker"),
    ],
)
def test_open_service_is_found(service: str, change: dict[str, Any], problem: str) -> None:
    changed = copy.deepcopy(SERVICES[service]) | change

    assert problems(service, changed) == [problem]


def test_each_rule_has_a_planted_mistake() -> None:
    """The parameters of the test above, without the one that is the default of Compose."""
    [mark] = test_open_service_is_found.pytestmark

    assert {problem for *_, problem in mark.args[1]} == set(RULES) - {"is killed after 10 seconds"}


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
        assert {one for one in waits if waits[one]["condition"] == "service_healthy"} >= STORES
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
