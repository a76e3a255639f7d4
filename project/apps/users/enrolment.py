"""Makes staff without a second factor prove who they are by password and by mail.

They sign in with a password only, so whoever has stolen it could add a factor of their own, and
with it take on the rights that wait for one. With the password they could also have the code sent
to an address of theirs, so this holds for every sensitive page, not only for second factors.
"""

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.internal.flows.login import (
    AUTHENTICATION_METHODS_SESSION_KEY,
    get_authentication_records,
)
from django.http import HttpRequest

from apps.users.backends import has_withheld_rights
from apps.users.models import User


def next_proof(
    request: HttpRequest, user: User, methods: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return what to ask for next: the password, then a mailed code; or the identity provider.

    Args:
        request: the current one, whose session knows what has been proved.
        user: a person with `has_withheld_rights`.
        methods: what allauth and the person's providers offer. People without a password sign in
            at a provider again, or are asked for the code at once if none can ask; without a
            confirmed address there is no proof, and the page is forbidden.
    """
    ways = {method["id"]: method for method in methods}
    at_providers = [way for name, way in ways.items() if name.startswith("reauthenticate_at:")]
    if at_providers and "reauthenticate" not in ways:
        return at_providers
    wanted = "reauthenticate_by_code"
    if "reauthenticate" in ways and not _has_given_password(request, user):
        wanted = "reauthenticate"
    return [ways[wanted]] if wanted in ways else []


def require_code_too(
    request: HttpRequest, user: User, method: str, *, reauthenticated: bool = False, **_: Any
) -> None:
    """Count a password that has just been entered as the first half of the proof only."""
    if method == "password" and reauthenticated and has_withheld_rights(user):
        records = get_authentication_records(request, user)
        records[-1].pop("reauthenticated")
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = records


def _has_given_password(request: HttpRequest, user: User) -> bool:
    since = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, user)
    return any(record["method"] == "password" and record["at"] > since for record in records)
