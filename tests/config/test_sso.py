"""Settings for external logins, each loaded in a separate process."""

import json

import pytest

from tests.config.test_settings import MORE, run

SETTINGS = {"PYTHONPATH": "project", "DJANGO_SETTINGS_MODULE": "config.settings.dev"}
CODE = """
import django, json
django.setup()

from allauth.socialaccount.providers import registry
from django.urls import NoReverseMatch, reverse
registry.load()
classes = {name: cls.__module__ for name, cls in registry.provider_map.items()}
try:
    url = reverse("github_login")
except NoReverseMatch:
    url = None
print(json.dumps([classes, url]))
"""
OURS = "apps.users.sso.provider"


def test_github_and_google_are_absent_by_default() -> None:
    result = run("-c", CODE, **SETTINGS)

    assert json.loads(result.stdout) == [{"openid_connect": OURS}, None], result.stderr


def test_github_and_google_appear_if_configured() -> None:
    names = {
        f"{site}_CLIENT_{part}": "x" for site in ("GITHUB", "GOOGLE") for part in ("ID", "SECRET")
    }
    result = run("-c", CODE, **SETTINGS, **names)

    classes, url = json.loads(result.stdout)
    social = "apps.users.sso.social"
    assert classes == {"openid_connect": OURS, "github": social, "google": social}
    assert url == "/accounts/github/login/"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET must be set together"),
        pytest.param(
            "GOOGLE_CLIENT_SECRET",
            "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET must be set together",
            marks=MORE,
        ),
    ],
)
def test_half_configured_provider_stops_the_start(name: str, sentence: str) -> None:
    result = run("project/manage.py", "check", **{name: "x"})

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {sentence}")


def test_malformed_provider_stops_the_start() -> None:
    result = run("project/manage.py", "check", OIDC_PROVIDERS='[{"id": "x"}]')

    assert result.returncode == 1
    assert result.stderr == "error: OIDC_PROVIDERS[0].name is missing.\n"


def test_production_cookies_have_the_host_prefix() -> None:
    code = "from config.settings.parts import auth; print(auth.MFA_TRUST_COOKIE_NAME, "
    code += "auth.DEVICE_COOKIE_NAME, auth.MFA_REQUIRED_FOR_STAFF)"
    names = {"DEBUG": "false", "SITE_URL": "https://site.example", "PYTHONPATH": "project"}

    result = run("-c", code, **names)

    assert result.stdout.split() == ["__Host-mfa_trusted", "__Host-device", "True"], result.stderr
