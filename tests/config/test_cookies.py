"""In development, cookie names carry the port: browsers send cookies to every port of a host.

The kind: state of two checkouts on one host. The second one's sign-in ended the first one's.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import env
from tests.config.test_settings import MORE, PRODUCTION
from tests.processes import bare_environment

NAMES = """
import django; django.setup()
import json
from django.conf import settings
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest
names = {name: getattr(settings, name) for name in dir(settings) if name.endswith("COOKIE_NAME")}
request = HttpRequest()
request.session = {}
names["messages"] = default_storage(request).storages[0].cookie_name
print(json.dumps(names))
"""


def cookie_names(module: str, **environment: str) -> dict[str, str]:
    fixed = {"PYTHONPATH": "project", "DJANGO_SETTINGS_MODULE": module, "ENV_FILE": os.devnull}
    environment = bare_environment() | fixed | environment
    output = subprocess.check_output(
        [sys.executable, "-c", NAMES], cwd=env.BASE_DIR, env=environment, text=True
    )
    names: dict[str, str] = json.loads(output)
    return names


@pytest.mark.parametrize("by", [pytest.param("PORT", marks=MORE), "up.json"])
def test_every_cookie_of_development_is_named_after_the_port(tmp_path: Path, by: str) -> None:
    """`up --port N` hands PORT to its processes, and to other commands by its up.json."""
    if by == "up.json":
        (tmp_path / "up.json").write_text(json.dumps({"environment": {"PORT": "8123"}}))
        names = cookie_names("config.settings.dev", DATA_DIR=str(tmp_path))
    else:
        names = cookie_names("config.settings.dev", DATA_DIR=str(tmp_path), PORT="8123")
    assert len(names) >= 7
    assert {name: cookie for name, cookie in names.items() if not cookie.endswith("_8123")} == {}
    assert len(set(names.values())) == len(names) - 1  # messages is there twice


def test_every_cookie_of_production_belongs_to_its_host() -> None:
    """Kind: a cookie that a neighboring subdomain, or plain HTTP, can set for this site."""
    names = cookie_names("config.settings.production", **PRODUCTION)

    assert len(names) >= 7
    assert {name: cookie for name, cookie in names.items() if cookie[:7] != "__Host-"} == {}


def test_no_cookie_is_written_by_a_fixed_name() -> None:
    """A cookie that code names itself would be shared by all ports."""
    fixed = re.compile(
        r"""set_cookie\(\s*["']|COOKIES(\.get\(|\[)\s*["']|document\.cookie = [`"']\w"""
    )
    sources = [
        *(env.BASE_DIR / "project").rglob("*.py"),
        *(path for path in (env.BASE_DIR / "frontend" / "src").rglob("*.ts")),
    ]
    found = [
        str(path.relative_to(env.BASE_DIR))
        for path in sources
        if ".test." not in path.name and fixed.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
