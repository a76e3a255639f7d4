"""Parses OIDC_PROVIDERS, the identity providers for single sign-on.

docs/sso.md describes the fields. An invalid one stops the start with an error that names it.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.env import CONTROL
from config.url_parts import is_host, with_host

NAME = "OIDC_PROVIDERS"
RESERVED_IDS = {"github", "google"}  # provider and subject identify an account
CLAIMS = {
    "subject": "sub",
    "email": "email",
    "email_verified": "email_verified",
    "name": "name",
    "groups": "groups",
}
DEFAULTS: dict[str, Any] = {
    "scopes": ["openid", "email", "profile"],
    "claims": {},
    "trusted": False,
    "email_domains": [],
    "exclusive_domains": [],
    "groups": {},
    "staff_groups": [],
}
REQUIRED = ["id", "name", "issuer", "client_id"]
SECRETS = ["client_secret", "client_secret_file"]
KINDS = {
    str: "a non-empty string without control characters",
    list: "a list of non-empty strings without control characters",
    dict: "an object with non-empty strings without control characters as values",
    bool: "true or false",
}


def parse(text: str, *, insecure: bool) -> list[dict[str, Any]]:
    """Return the providers in the format of allauth's `APPS`.

    Args:
        text: a JSON list, or "" for no providers.
        insecure: whether an issuer on localhost may use plain HTTP, as in development.

    Raises:
        ImproperlyConfigured: a field is invalid; the message names it.
    """
    if not text.strip():
        return []
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise ImproperlyConfigured(
            f"{NAME} is not JSON (line {error.lineno}, column {error.colno}): {error.msg}."
        ) from error
    except (RecursionError, ValueError):  # Python's limits for nesting and for digits
        raise ImproperlyConfigured(
            f"{NAME} is nested too deeply or contains a number that is too long: it must be a JSON "
            "list of objects, one per provider."
        ) from None
    if not isinstance(entries, list):
        raise ImproperlyConfigured(f"{NAME} must be a JSON list of objects, one per provider.")
    apps = [_app(entry, f"{NAME}[{at}]", insecure=insecure) for at, entry in enumerate(entries)]
    ids = [app["provider_id"] for app in apps]
    for at, provider_id in enumerate(ids):
        if provider_id in ids[:at]:
            raise ImproperlyConfigured(f"{NAME}[{at}].id: {provider_id!r} is used twice.")
    _check_exclusive_domains(apps)
    return apps


def _check_exclusive_domains(apps: list[dict[str, Any]]) -> None:
    owners: dict[str, str] = {}
    for at, app in enumerate(apps):
        options, where = app["settings"], f"{NAME}[{at}].exclusive_domains"
        if options["exclusive_domains"] and not options["email_authentication"]:
            raise ImproperlyConfigured(
                f"{where} needs trusted to be true: only trusted providers confirm addresses."
            )
        for domain in options["exclusive_domains"]:
            if options["email_domains"] and domain not in options["email_domains"]:
                raise ImproperlyConfigured(
                    f"{where}: {domain!r} is not in email_domains, so nobody there could sign in."
                )
            if domain in owners:
                raise ImproperlyConfigured(
                    f"{where}: {domain!r} already belongs to {owners[domain]!r}."
                )
            owners[domain] = app["provider_id"]


def _app(entry: Any, where: str, *, insecure: bool) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where} must be an object.")
    known = [*REQUIRED, *SECRETS, *DEFAULTS]
    for field in entry:
        if field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known fields: {', '.join(known)}."
            raise ImproperlyConfigured(f"{where}.{field} is not a known field. {hint}")
    values = DEFAULTS | entry
    for field in REQUIRED:
        _check(values, field, str, where)
    for field, default in DEFAULTS.items():
        _check(values, field, type(default), where)
    _check_values(values, where)
    return {
        "provider_id": values["id"],
        "name": values["name"],
        "client_id": values["client_id"],
        "secret": _secret(values, where),
        "settings": {
            "server_url": _issuer(values["issuer"], where, insecure=insecure),
            "scope": values["scopes"],
            "email_authentication": values["trusted"],
            "claims": CLAIMS | values["claims"],
            "email_domains": [domain.lower() for domain in values["email_domains"]],
            "exclusive_domains": [domain.lower() for domain in values["exclusive_domains"]],
            "groups": values["groups"],
            "staff_groups": values["staff_groups"],
        },
    }


def _check(values: dict[str, Any], field: str, kind: type, where: str) -> None:
    if field not in values:
        raise ImproperlyConfigured(f"{where}.{field} is missing.")
    value = values[field]
    valid = isinstance(value, kind)
    if valid and isinstance(value, str | list | dict):
        texts = value.values() if isinstance(value, dict) else value
        valid = _is_text(value) if isinstance(value, str) else all(map(_is_text, texts))
    if not valid:
        raise ImproperlyConfigured(f"{where}.{field} must be {KINDS[kind]}.")


def _is_text(value: object) -> bool:
    # JSON can contain halves of characters, which nothing can be encoded with.
    return (
        isinstance(value, str)
        and bool(value.strip())
        and not CONTROL.search(value)
        and not re.search(r"[\ud800-\udfff]", value)
    )


def _check_values(values: dict[str, Any], where: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", values["id"]) or values["id"] in RESERVED_IDS:
        raise ImproperlyConfigured(
            f"{where}.id must be a short word of a-z, 0-9 and -, "
            f"and not {' or '.join(sorted(RESERVED_IDS))}: it is part of URLs."
        )
    if len(values["name"]) > 40:  # noqa: PLR2004 - the length of allauth's column
        raise ImproperlyConfigured(f"{where}.name must have at most 40 characters.")
    if "openid" not in values["scopes"]:
        raise ImproperlyConfigured(f"{where}.scopes must contain openid.")
    for claim in values["claims"]:
        if claim not in CLAIMS:
            raise ImproperlyConfigured(
                f"{where}.claims.{claim} is not a known claim. Known claims: {', '.join(CLAIMS)}."
            )
    for field in ("email_domains", "exclusive_domains"):
        for domain in values[field]:
            if not re.fullmatch(r"(?i)([a-z0-9-]+\.)+[a-z0-9-]+", domain):
                raise ImproperlyConfigured(
                    f"{where}.{field}: {domain!r} must look like example.org."
                )


def _issuer(issuer: str, where: str, *, insecure: bool) -> str:
    try:
        url = with_host(f"{where}.issuer", issuer, "https", "http")
    except ImproperlyConfigured:
        url = None
    if (
        url is None
        or url.text != issuer
        or not issuer.isascii()
        or "?" in issuer
        or "@" in issuer
        or not is_host(url.host.replace("_", "x"))  # which names in a container network may have
        or (url.scheme == "http" and not (insecure and url.host in {"localhost", "127.0.0.1"}))
    ):
        raise ImproperlyConfigured(
            f"{where}.issuer must look like https://login.example.org/realm, "
            "exactly as in the provider's discovery document, without a user or a ?."
        )
    return issuer


def _secret(values: dict[str, Any], where: str) -> str:
    given = [field for field in SECRETS if field in values]
    if len(given) != 1:
        raise ImproperlyConfigured(
            f"{where} must have exactly one of client_secret and client_secret_file."
        )
    _check(values, given[0], str, where)
    value: str = values[given[0]]
    if given[0] == "client_secret":
        return value
    try:
        # With a mark of the byte order at its beginning, as some editors on Windows write it.
        secret = Path(value).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(
            f"{where}.client_secret_file: cannot read {value}: {reason}."
        ) from error
    if not secret:
        raise ImproperlyConfigured(f"{where}.client_secret_file: {value} is empty.")
    if not _is_text(secret):
        raise ImproperlyConfigured(
            f"{where}.client_secret_file: {value} contains more than one line, or a control "
            "character: it must be the secret only."
        )
    return secret
