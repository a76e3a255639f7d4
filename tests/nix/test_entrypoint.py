"""Tests for the image's command, run the way a container runs it."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

from tests.nix import ROOT

ROLES = "web, worker, beat, migrate, manage, health"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "nix/entrypoint.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("role", "command"),
    [
        (["web"], "python manage.py serve --host 0.0.0.0"),
        (
            ["worker", "--concurrency=4"],
            "celery -A config.celery worker --loglevel=INFO --concurrency=4",
        ),
        (["beat"], "celery -A config.celery beat --loglevel=INFO --schedule=/tmp/beat --pidfile="),
        (["migrate"], "python manage.py migrate --noinput"),
        (["manage", "check", "--deploy"], "python manage.py check --deploy"),
    ],
)
def test_role_execs_its_program(tmp_path: Path, role: list[str], command: str) -> None:
    name = command.split(maxsplit=1)[0]
    (tmp_path / name).write_text('#!/bin/sh\necho "$(basename "$0") $*"; pwd\n')
    (tmp_path / name).chmod(0o755)

    result = run(*role, PATH=f"{tmp_path}:/usr/bin:/bin")

    assert result.stdout.splitlines() == [command, str(ROOT / "project")]


def test_manage_role_runs() -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"

    result = run("manage", "version", PATH=path, DJANGO_SETTINGS_MODULE="config.settings.dev")

    assert result.stdout.strip() == django.get_version(), result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (
            ["wbe"],
            {},
            f"error: unknown role 'wbe'; the roles are {ROLES}.\n",
        ),
        (
            [],
            {},
            f"error: no role given; the roles are {ROLES}.\n",
        ),
    ],
)
def test_invalid_use_is_one_error_message(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run(*arguments, **environment)

    assert (result.returncode, result.stderr) == (1, message)


def test_help_lists_the_roles() -> None:
    result = run("--help")

    assert result.returncode == 0
    assert "migrate" in result.stdout
