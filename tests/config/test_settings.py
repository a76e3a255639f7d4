"""The settings modules, loaded as a server would load them."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

PRODUCTION_MODULE = "config.settings.production"
PRODUCTION = {
    "SECRET_KEY": "kX9-" * 16 + "abcdefgh",
    "ALLOWED_HOSTS": "site.example",
    "SITE_URL": "https://site.example",
    "DATABASE_URL": "postgres://site:secret@db/site",
    "VALKEY_URL": "redis://valkey:6379/0",
    "CELERY_BROKER_URL": "amqp://site:secret@rabbitmq//",
    "EMAIL_URL": "smtp+tls://user:secret@mail:587",
    "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=env.BASE_DIR,
        env=keep | {"ENV_FILE": os.devnull} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check_production(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = PRODUCTION | {"DJANGO_SETTINGS_MODULE": PRODUCTION_MODULE} | changes
    present = {name: value for name, value in environment.items() if value}
    return run("project/manage.py", "check", "--deploy", "--fail-level", "WARNING", **present)


def names_read_by(module: str, **environment: str) -> set[str]:
    code = (
        f"import json, {module}; from config import env; print(json.dumps(sorted(env.names_read)))"
    )
    result = run("-c", code, PYTHONPATH="project", **environment)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def test_deployment_check_is_clean() -> None:
    result = check_production()

    # Only the front end may be missing, because a checkout does not contain it.
    issues = set(re.findall(r"\((\w+\.[EW]\d+)\)", result.stderr))
    built = (env.BASE_DIR / "frontend" / "dist" / ".vite" / "manifest.json").exists()
    assert issues == (set() if built else {"django_vite.W001"}), result.stderr
    assert result.returncode == (0 if built else 1)


def test_missing_setting_is_reported_in_one_line() -> None:
    result = check_production(SECRET_KEY="")

    assert result.returncode == 1
    assert result.stderr.startswith("error: SECRET_KEY is not set.")
    assert result.stderr.count("\n") == 1


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Return a function that reimports the production settings with a changed environment."""

    def load(**changes: str) -> ModuleType:
        for name in env.names_in(env.BASE_DIR / ".env.example"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (PRODUCTION | changes).items():
            if value:
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(env, "_defaults", {})
        for module in list(sys.modules):
            if module.startswith(
                ("config.settings.parts", "config.settings.base", PRODUCTION_MODULE)
            ):
                monkeypatch.delitem(sys.modules, module)
        return importlib.import_module(PRODUCTION_MODULE)

    return load


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_requires_the_setting(load: Callable[..., ModuleType], name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not set\."):
        load(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DEBUG", "true", "DEBUG must be off in production"),
        ("DEBUG", "maybe", "DEBUG must be true or false"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must list the host names"),
        ("SECRET_KEY", "short", "SECRET_KEY is too weak"),
        ("SITE_URL", "http://site.example", "SITE_URL must start with https://"),
        ("DATABASE_URL", "mysql://db/x", "DATABASE_URL is malformed"),
        ("VALKEY_URL", "valkey", "VALKEY_URL is malformed"),
        ("CELERY_BROKER_URL", "http://x", "CELERY_BROKER_URL is malformed"),
        ("EMAIL_URL", "mail.example", "EMAIL_URL is malformed"),
        ("EMAIL_URL", "mailbox", "EMAIL_URL is malformed"),
        ("TRUSTED_PROXY_COUNT", "one", "TRUSTED_PROXY_COUNT must be a whole number"),
    ],
)
def test_production_rejects_the_value(
    load: Callable[..., ModuleType], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{re.escape(sentence)}"):
        load(**{name: value})


def test_forwarded_proto_is_trusted_only_behind_a_proxy(load: Callable[..., ModuleType]) -> None:
    assert not hasattr(load(), "SECURE_PROXY_SSL_HEADER")
    assert load(TRUSTED_PROXY_COUNT="1").SECURE_PROXY_SSL_HEADER


@pytest.mark.parametrize("module", ["config.asgi", "config.celery"])
def test_servers_and_workers_report_errors_in_one_line_too(module: str) -> None:
    result = run("-c", f"import {module}", PYTHONPATH="project")

    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_development_needs_no_settings_and_no_services(tmp_path: Path) -> None:
    result = run("project/manage.py", "check", DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stderr


def test_unavailable_database_is_reported_in_one_line(tmp_path: Path) -> None:
    url = "postgres://site@127.0.0.1:1/site"
    result = run("project/manage.py", "showmigrations", DATA_DIR=str(tmp_path), DATABASE_URL=url)

    assert result.returncode == 1
    assert result.stderr.startswith("error: The database is unavailable")
    assert "manage.py up" in result.stderr


def test_development_uses_the_services_of_a_running_stack(tmp_path: Path) -> None:
    url = "postgres://site:secret@127.0.0.1:9/site"
    (tmp_path / "up.json").write_text(json.dumps({"environment": {"DATABASE_URL": url}}))
    code = "from config.settings.dev import DATABASES; print(DATABASES['default']['PORT'])"

    result = run("-c", code, PYTHONPATH="project", DATA_DIR=str(tmp_path))

    assert result.stdout.strip() == "9", result.stderr


def test_env_example_lists_every_setting() -> None:
    listed = set(env.names_in(env.BASE_DIR / ".env.example")) - {"ENV_FILE"}
    read = names_read_by("config.settings.dev") | names_read_by(
        "config.settings.production", **PRODUCTION
    )

    # Ports of services are read by `up` and by process-compose, not by the settings.
    ports = re.findall(r"\$\{(\w+):-\d+\}", (env.BASE_DIR / "process-compose.yaml").read_text())

    assert listed == read | set(ports)
