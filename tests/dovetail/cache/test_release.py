from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dovetail.cache.release import release
from tests.config.test_settings import PRODUCTION, PRODUCTION_MODULE, run

CODE = "import django; django.setup(); from dovetail.cache.release import release; print(release())"


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    yield
    release.cache_clear()


def release_with(settings: Settings, **changes: Any) -> str:
    for name, value in changes.items():
        setattr(settings, name, value)
    release.cache_clear()
    return release()


@pytest.mark.parametrize("name", ["apps/orders/list.html", "apps/orders/views.py"])
def test_code_and_templates_make_another_release(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    """Kind: new pages with parts of the old release, for as long as those are kept."""
    settings.PROJECT_DIR = tmp_path
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    found = []
    for content in ("one", "two", "one"):
        file.write_text(content)
        release.cache_clear()
        found.append(release())

    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PAGES_CDN_SECONDS", (600, 0)),
        ("SITE_URL", ("https://one.example", "https://two.example")),
        ("SITE_NAME", ("One", "Two")),
        ("MEDIA_URL", ("/media/", "https://files.example/")),
        ("SECURE_CSP", ({"img-src": ["'self'"]}, {"img-src": ["'self'", "https://f.example"]})),
        ("SOCIALACCOUNT_PROVIDERS", ({"github": {}}, {})),
        ("LOGO_URL", ("/one.svg", "/two.svg")),
        ("PORTAL_NAME", ("One", "Two")),
        ("EMAIL_SUPPORT", ("one@site.example", "two@site.example")),
        ("WEB_ANALYTICS_ID", ("1", "2")),
        ("LOGIN_URL", ("/one/", "/two/")),
        ("SETTING_OF_THE_OWNER", (Decimal("1.00"), Decimal("2.00"))),
        ("SETTING_OF_THE_OWNER", (date(2026, 1, 1), date(2026, 1, 2))),
        ("SETTING_OF_THE_OWNER", (timedelta(days=1), timedelta(days=2))),
        ("SETTING_OF_THE_OWNER", ({"a", "b"}, {"a", "c"})),
        ("SETTING_OF_THE_OWNER", ("1", 1)),
        ("SETTING_OF_THE_OWNER", (["a,b"], ["a", "b"])),
    ],
)
def test_settings_that_pages_show_make_another_release(
    settings: Settings, tmp_path: Path, name: str, values: tuple[Any, Any]
) -> None:
    """Kind: kept pages, and how long others may keep them, that survive a change of settings."""
    settings.PROJECT_DIR = tmp_path
    one, two, again = (release_with(settings, **{name: value}) for value in (*values, values[0]))

    assert one == again != two


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PORT", (8000, 8001)),
        ("WEB_THREADS", (2, 4)),
        ("DATA_DIR", (Path("/one"), Path("/two"))),
        ("MEDIA_ROOT", (Path("/one"), Path("/two"))),
        ("VALKEY_URL", ("redis://one/0", "unix:///run/valkey.sock")),
        ("SETTING_OF_THE_OWNER", (object(), object())),
        ("SETTING_OF_THE_OWNER", ({"a": 1, "b": 2}, {"b": 2, "a": 1})),
    ],
)
def test_servers_of_one_site_have_one_release(
    settings: Settings, tmp_path: Path, name: str, values: tuple[Any, Any]
) -> None:
    """Kind: servers that render all pages again, because they run in different places."""
    settings.PROJECT_DIR = tmp_path
    one, two = (release_with(settings, **{name: value}) for value in values)

    assert one == two


def test_processes_with_one_configuration_have_one_release(tmp_path: Path) -> None:
    """Kind: a text that depends on the order of a set, or on where an object is in memory."""
    environment = {
        "PYTHONPATH": "project",
        "DJANGO_SETTINGS_MODULE": PRODUCTION_MODULE,
        "TRUSTED_PROXY_COUNT": "1",
        **PRODUCTION,
    }
    found = [
        run("-c", CODE, **environment, **changes).stdout.strip()
        for changes in (
            {"PYTHONHASHSEED": "1", "PORT": "8000"},
            {"PYTHONHASHSEED": "2", "PORT": "8001", "DATA_DIR": str(tmp_path)},
            {"PYTHONHASHSEED": "1", "PAGES_CDN_SECONDS": "600"},
        )
    ]

    assert found[0]
    assert found[0] == found[1] != found[2]
