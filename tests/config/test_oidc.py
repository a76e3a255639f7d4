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
    "client_id": "site",
    "client_secret": "s3cret",
}


def parse(*entries: Any) -> list[dict[str, Any]]:
    return oidc.parse(json.dumps(entries), insecure=False)


def test_optional_fields_have_defaults() -> None:
    (app,) = parse(PROVIDER)

    assert app["provider_id"] == "keycloak"
    assert app["secret"] == "s3cret"
    assert app["settings"]["server_url"] == PROVIDER["issuer"]
    assert app["settings"]["scope"] == ["openid", "email", "profile"]
    assert app["settings"]["claims"]["groups"] == "groups"
    assert app["settings"]["email_authentication"] is False


def test_every_field_is_applied(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\ufefffrom-a-file\n", encoding="utf-8")
    entry = {name: value for name, value in PROVIDER.items() if name != "client_secret"}
    entry |= {
        "client_secret_file": str(tmp_path / "secret"),
        "scopes": ["openid", "email", "groups"],
        "claims": {"name": "display"},
        "trusted": True,
        "email_domains": ["Example.org"],
        "exclusive_domains": ["example.ORG"],
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
    assert app["settings"]["exclusive_domains"] == ["example.org"]
    assert app["settings"]["groups"] == {"writers": "Editors"}
    assert app["settings"]["staff_groups"] == ["admins"]


@pytest.mark.parametrize("text", ["", "  ", "[]"])
def test_empty_list_is_valid(text: str) -> None:
    assert oidc.parse(text, insecure=False) == []


def test_plain_http_is_allowed_only_for_localhost_in_development() -> None:
    for issuer, allowed in [("http://localhost:9000", True), ("http://idp.example.org", False)]:
        text = json.dumps([PROVIDER | {"issuer": issuer}])
        with pytest.raises(ImproperlyConfigured, match=r"\[0\]\.issuer must look like https://"):
            oidc.parse(text, insecure=False)
        if allowed:
            assert oidc.parse(text, insecure=True)
        else:
            with pytest.raises(ImproperlyConfigured):
                oidc.parse(text, insecure=True)


@pytest.mark.parametrize(
    "issuer", ["https://i.example:8443/r/", "https://[::1]:8443", "https://key_cloak:8443/r"]
)
def test_issuer_is_kept_as_it_is(issuer: str) -> None:
    (app,) = parse(PROVIDER | {"issuer": issuer})

    assert app["settings"]["server_url"] == issuer


BOUND = PROVIDER | {"trusted": True, "exclusive_domains": ["example.org"]}


@pytest.mark.parametrize(
    ("providers", "sentence"),
    [
        ([BOUND | {"trusted": False}], r"\[0\]\.exclusive_domains needs trusted to be true"),
        (
            [BOUND | {"email_domains": ["example.net"]}],
            r"\[0\]\.exclusive_domains: 'example.org' is not in email_domains",
        ),
        (
            [BOUND, BOUND | {"id": "other", "exclusive_domains": ["EXAMPLE.org"]}],
            r"\[1\]\.exclusive_domains: 'example.org' already belongs to 'keycloak'",
        ),
        (
            [BOUND | {"exclusive_domains": ["@example.org"]}],
            r"\[0\]\.exclusive_domains: '@example.org' must look like example.org",
        ),
    ],
)
def test_domains_that_cannot_be_exclusive_are_rejected(
    providers: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        parse(*providers)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": "Key Cloak"}, r"\[0\]\.id must be a short word"),
        ({"id": "github"}, r"\[0\]\.id must be a short word .* not github"),
        ({"id": 7}, r"\[0\]\.id must be a non-empty string"),
        ({"name": ""}, r"\[0\]\.name must be a non-empty string"),
        ({"name": "x" * 41}, r"\[0\]\.name must have at most 40"),
        ({"issuer": None}, r"\[0\]\.issuer must be a non-empty string"),
        ({"issuer": "login.example.org"}, r"\[0\]\.issuer must look like"),
        ({"issuer": "https://login.example.org:port"}, r"\[0\]\.issuer must look like"),
        ({"issuer": "https://login.example.org/?realm=1"}, r"\[0\]\.issuer must look like"),
        *(
            ({"issuer": issuer}, r"\[0\]\.issuer must look like")
            for issuer in (
                "https://a b",
                " https://i.example",
                "https://i.example ",
                "https://u:p@i.example",
                "https://@i.example",
                "https://i.example:0",
                "https://i.example?",
                "https://i.example#x",
                "https://a..b",
                "https://ü.example",
                "https://i.example/ü",
                "HTTPS://i.example",
            )
        ),
        ({"issuer": "https://i/\n"}, r"\[0\]\.issuer must be a non-empty string without control"),
        ({"name": " "}, r"\[0\]\.name must be a non-empty string"),
        ({"name": "a\nb"}, r"\[0\]\.name must be a non-empty string without control characters"),
        ({"name": "\ud800"}, r"\[0\]\.name must be a non-empty string"),
        ({"scopes": ["openid", " "]}, r"\[0\]\.scopes must be a list of non-empty strings"),
        ({"client_secret": ""}, r"\[0\]\.client_secret must be a non-empty string"),
        (
            {"client_secret_file": "/run/x"},
            "must have exactly one of client_secret and client_secret_file",
        ),
        ({"scopes": "openid"}, r"\[0\]\.scopes must be a list of non-empty strings"),
        ({"scopes": ["email"]}, r"\[0\]\.scopes must contain openid"),
        ({"scopes": [1]}, r"\[0\]\.scopes must be a list of non-empty strings"),
        ({"claims": {"mail": "mail"}}, r"\[0\]\.claims\.mail is not a known claim"),
        ({"claims": {"email": 1}}, r"\[0\]\.claims must be an object with non-empty strings"),
        ({"trusted": "yes"}, r"\[0\]\.trusted must be true or false"),
        ({"email_domains": ["@example.org"]}, r"\[0\]\.email_domains: '@example.org' must look"),
        ({"groups": []}, r"\[0\]\.groups must be an object with non-empty strings"),
        ({"staff_groups": "admins"}, r"\[0\]\.staff_groups must be a list of non-empty strings"),
        ({"isuer": "x"}, r"\[0\]\.isuer is not a known field\. Did you mean issuer\?"),
    ],
)
def test_error_names_the_malformed_field(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^OIDC_PROVIDERS.*{sentence}"):
        parse(PROVIDER | change)


@pytest.mark.parametrize("field", ["id", "name", "issuer", "client_id"])
def test_error_names_the_missing_field(field: str) -> None:
    entry = {name: value for name, value in PROVIDER.items() if name != field}
    with pytest.raises(ImproperlyConfigured, match=rf"\[0\]\.{field} is missing\."):
        parse(entry)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{", r"OIDC_PROVIDERS is not JSON \(line 1, column 3\)"),
        ("{}", "must be a JSON list"),
        ("[" * 100_000, "OIDC_PROVIDERS is nested too deeply"),
        (f"[{'9' * 5000}]", "OIDC_PROVIDERS is nested too deeply or contains a number"),
        ("[1]", r"OIDC_PROVIDERS\[0\] must be an object"),
    ],
)
def test_only_a_list_of_objects_is_accepted(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        oidc.parse(text, insecure=False)


def test_duplicate_ids_are_rejected() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\[1\]\.id: 'keycloak' is used twice"):
        parse(PROVIDER, PROVIDER | {"name": "Other"})


def test_secret_file_must_be_readable_and_not_empty(tmp_path: Path) -> None:
    entry = {name: value for name, value in PROVIDER.items() if name != "client_secret"}
    with pytest.raises(ImproperlyConfigured, match="client_secret_file: cannot read "):
        parse(entry | {"client_secret_file": str(tmp_path / "missing")})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match=r"client_secret_file: .* is empty"):
        parse(entry | {"client_secret_file": str(tmp_path / "empty")})
    (tmp_path / "lines").write_text("one\ntwo\n")
    with pytest.raises(ImproperlyConfigured, match=r"client_secret_file: .* more than one line"):
        parse(entry | {"client_secret_file": str(tmp_path / "lines")})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.sampled_from([*PROVIDER, *oidc.DEFAULTS, "client_secret_file"]), JSON)
def test_any_value_is_accepted_or_its_field_named(field: str, value: Any) -> None:
    try:
        parse(PROVIDER | {field: value})
    except ImproperlyConfigured as error:
        assert "OIDC_PROVIDERS[0]" in str(error)  # noqa: PT017 - it may also be taken
