import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, strategies as st

from config import oidc

PROVIDER: dict[str, Any] = {
    "id": "keycloak",
    "name": "Keycloak",
    "issuer": "https://login.example.org/realms/staff",
    "client_id": "dovetail",
    "client_secret": "s3cret",
}


def parse(*entries: Any) -> list[dict[str, Any]]:
    return oidc.parse(json.dumps(entries), insecure=False)


def test_a_short_entry_is_enough() -> None:
    (app,) = parse(PROVIDER)

    assert app["provider_id"] == "keycloak"
    assert app["secret"] == "s3cret"
    assert app["settings"]["server_url"] == PROVIDER["issuer"]
    assert app["settings"]["scope"] == ["openid", "email", "profile"]
    assert app["settings"]["claims"]["groups"] == "groups"
    assert app["settings"]["email_authentication"] is False


def test_every_field_arrives(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    entry = {name: value for name, value in PROVIDER.items() if name != "client_secret"}
    entry |= {
        "client_secret_file": str(tmp_path / "secret"),
        "scopes": ["openid", "email", "groups"],
        "claims": {"name": "display"},
        "trusted": True,
        "email_domains": ["Example.org"],
        "groups": {"writers": "Editors"},
        "staff_groups": ["admins"],
    }
    (app,) = parse(entry)

    assert app["secret"] == "from-a-file"
    assert app["settings"]["scope"] == entry["scopes"]
    assert app["settings"]["claims"]["name"] == "display"
    assert app["settings"]["claims"]["email"] == "email"
    assert app["settings"]["email_authentication"] is True
    assert app["settings"]["email_domains"] == ["example.org"]
    assert app["settings"]["groups"] == {"writers": "Editors"}
    assert app["settings"]["staff_groups"] == ["admins"]


@pytest.mark.parametrize("text", ["", "  ", "[]"])
def test_none_is_fine(text: str) -> None:
    assert oidc.parse(text, insecure=False) == []


def test_only_development_speaks_plain_http_and_only_to_this_machine() -> None:
    for issuer, fine in [("http://localhost:9000", True), ("http://idp.example.org", False)]:
        text = json.dumps([PROVIDER | {"issuer": issuer}])
        with pytest.raises(ImproperlyConfigured, match=r"\[0\]\.issuer must read like https://"):
            oidc.parse(text, insecure=False)
        if fine:
            assert oidc.parse(text, insecure=True)
        else:
            with pytest.raises(ImproperlyConfigured):
                oidc.parse(text, insecure=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": "Key Cloak"}, r"\[0\]\.id must be a short word"),
        ({"id": "github"}, r"\[0\]\.id must be a short word .* not github"),
        ({"id": 7}, r"\[0\]\.id must be text"),
        ({"name": ""}, r"\[0\]\.name must be text, and not empty"),
        ({"name": "x" * 41}, r"\[0\]\.name must have at most 40"),
        ({"issuer": None}, r"\[0\]\.issuer must be text"),
        ({"issuer": "login.example.org"}, r"\[0\]\.issuer must read like"),
        ({"issuer": "https://login.example.org:port"}, r"\[0\]\.issuer must read like"),
        ({"issuer": "https://login.example.org/?realm=1"}, r"\[0\]\.issuer must read like"),
        ({"client_secret": ""}, r"\[0\]\.client_secret must be text"),
        ({"client_secret_file": "/run/x"}, "must have client_secret or client_secret_file"),
        ({"scopes": "openid"}, r"\[0\]\.scopes must be a list of texts"),
        ({"scopes": ["email"]}, r"\[0\]\.scopes must contain openid"),
        ({"scopes": [1]}, r"\[0\]\.scopes must be a list of texts"),
        ({"claims": {"mail": "mail"}}, r"\[0\]\.claims\.mail is no such claim"),
        ({"claims": {"email": 1}}, r"\[0\]\.claims must be an object of texts"),
        ({"trusted": "yes"}, r"\[0\]\.trusted must be true or false"),
        ({"email_domains": ["@example.org"]}, r"\[0\]\.email_domains: '@example.org' must read"),
        ({"groups": []}, r"\[0\]\.groups must be an object of texts"),
        ({"staff_groups": "admins"}, r"\[0\]\.staff_groups must be a list of texts"),
        ({"isuer": "x"}, r"\[0\]\.isuer is no such field\. Did you mean issuer\?"),
    ],
)
def test_a_malformed_field_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^OIDC_PROVIDERS.*{sentence}"):
        parse(PROVIDER | change)


@pytest.mark.parametrize("field", ["id", "name", "issuer", "client_id"])
def test_a_missing_field_is_named(field: str) -> None:
    entry = {name: value for name, value in PROVIDER.items() if name != field}
    with pytest.raises(ImproperlyConfigured, match=rf"\[0\]\.{field} is missing\."):
        parse(entry)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{", r"OIDC_PROVIDERS is not JSON \(line 1, column 3\)"),
        ("{}", "must be a JSON list"),
        ("[1]", r"OIDC_PROVIDERS\[0\] must be an object"),
    ],
)
def test_what_is_no_list_of_objects_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        oidc.parse(text, insecure=False)


def test_two_of_one_id_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\[1\]\.id: 'keycloak' is there twice"):
        parse(PROVIDER, PROVIDER | {"name": "Other"})


def test_a_secret_file_must_be_readable_and_hold_something(tmp_path: Path) -> None:
    entry = {name: value for name, value in PROVIDER.items() if name != "client_secret"}
    with pytest.raises(ImproperlyConfigured, match=r"client_secret_file names .*, not readable"):
        parse(entry | {"client_secret_file": str(tmp_path / "missing")})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match=r"client_secret_file names .* is empty"):
        parse(entry | {"client_secret_file": str(tmp_path / "empty")})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.sampled_from([*PROVIDER, *oidc.DEFAULTS, "client_secret_file"]), JSON)
def test_whatever_a_field_holds_it_is_taken_or_named(field: str, value: Any) -> None:
    try:
        parse(PROVIDER | {field: value})
    except ImproperlyConfigured as error:
        assert "OIDC_PROVIDERS[0]" in str(error)  # noqa: PT017 - it may also be taken
