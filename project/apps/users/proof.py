"""Asks administrators for a recent proof of who they are, and keeps what they have sent meanwhile.

Own code because allauth drops a form that was sent to a URL with a query string, as the admin's
lists and forms have.
"""

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows import reauthentication
from allauth.core.exceptions import ReauthenticationRequired
from allauth.core.internal.httpkit import serialize_request
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode


def require(request: HttpRequest) -> None:
    """Check that the last proof is recent enough (ACCOUNT_REAUTHENTICATION_TIMEOUT).

    Raises:
        ReauthenticationRequired: it is not. Answer with `ask`.
    """
    reauthentication.raise_if_reauthentication_required(request, app="apps.users")


def ask(request: HttpRequest, *, keep: bool = True) -> HttpResponse | None:
    """Return the redirect to the page that asks for a proof; None if the last one is recent enough.

    Args:
        request: a form that was sent is run once the proof has been given, without its files.
        keep: False leaves it out, as for a form with a password, which must not be stored.

    Raises:
        PermissionDenied: the person has no way to prove who they are.
    """
    try:
        require(request)
    except ReauthenticationRequired:
        pass
    else:
        return None
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        raise PermissionDenied("There is no way to reauthenticate")
    page = request.get_full_path()
    if request.method == "POST" and keep:
        state = {"request": serialize_request(request)}
        request.session[reauthentication.STATE_SESSION_KEY] = state
        page = request.path  # allauth compares it with the path of the stored request
        if request.FILES:
            messages.warning(request, "Choose the files again: they have not been saved.")
    return redirect(f"{methods[0]['url']}?{urlencode({REDIRECT_FIELD_NAME: page})}")
