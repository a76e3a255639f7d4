"""Reauthentication at the identity provider, for people without a password or second factor here.

The provider is asked to authenticate the person again (`prompt=login`, `max_age=0`). Providers may
ignore both, so the time in the ID token decides (`auth_time`): OpenID Connect Core 3.1.2.1.
"""

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from apps.users.models import User
from apps.users.sso.tokens import LEEWAY

METHOD = "provider"  # in ACCOUNT_REAUTHENTICATION_METHODS
STATE_KEY = "reauthentication"  # in the state of a login: whose, and since when


def methods(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    """Return the providers at which a person can prove who they are, as allauth describes ways."""
    adapter, found = get_social_adapter(), []
    accounts = SocialAccount.objects.filter(user=user).order_by("provider")
    for provider_id in accounts.values_list("provider", flat=True).distinct():
        try:
            provider = adapter.get_provider(request, provider_id)
        except SocialApp.DoesNotExist:
            continue
        # One that was removed from the settings has no client.
        if isinstance(provider, OpenIDConnectProvider) and provider.app.client_id:
            found.append(
                {
                    "id": f"reauthenticate_at:{provider_id}",
                    "description": f"Confirm with {provider.name}",
                    "url": reverse("openid_connect_reauthenticate", args=[provider_id]),
                    "provider": provider,
                }
            )
    return found


@never_cache
@login_required
def reauthenticate(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Show the way to the provider, and send the person there after a click."""
    url = reverse("openid_connect_reauthenticate", args=[provider_id])
    ways = get_adapter().get_reauthentication_methods(request.user)
    way = next((way for way in ways if way["url"] == url), None)
    if way is None:
        raise Http404
    response: HttpResponse | None
    response = ratelimit.consume_or_429(request, action="reauthenticate", user=request.user)
    if response is not None:
        return response
    next_url = get_next_redirect_url(request)
    if request.method != "POST":
        page = {"provider": way["provider"], "action_url": url, "next": next_url}
        return render(request, "socialaccount/reauthenticate.html", page)
    provider: OpenIDConnectProvider = way["provider"]
    answer: HttpResponse = provider.redirect(
        request,
        process="login",
        next_url=next_url,
        auth_params={"prompt": "login", "max_age": "0"},
        **{STATE_KEY: {"user": str(request.user.pk), "at": int(time.time())}},
    )
    return answer


def finish(
    request: HttpRequest,
    provider: OpenIDConnectProvider,
    state: dict[str, Any],
    data: dict[str, Any],
) -> HttpResponse:
    """Record that the provider has authenticated the person again, and go on where they were.

    Args:
        request: the provider's response.
        provider: the provider.
        state: what `reauthenticate` stored, with the key STATE_KEY.
        data: the verified claims.

    Raises:
        OAuth2Error: the provider authenticated another person, or none since it was asked.
    """
    asked = state[STATE_KEY]
    if not request.user.is_authenticated or str(request.user.pk) != asked["user"]:
        raise OAuth2Error("the session that asked for the reauthentication has ended")
    uid = provider.extract_uid(data)
    account = SocialAccount.objects.filter(provider=provider.sub_id, uid=uid, user=request.user)
    if not account.exists():
        raise OAuth2Error("the provider authenticated another person")
    if data["id_token"].get("auth_time", 0) < asked["at"] - LEEWAY:
        raise OAuth2Error("the provider did not ask the person to sign in again (auth_time)")
    record_authentication(
        request, request.user, method=METHOD, provider=provider.sub_id, reauthenticated=True
    )
    next_url = state.get("next")
    if next_url:
        query = request.GET.copy()
        query["next"] = next_url
        request.GET = query  # type: ignore[assignment] # where allauth looks for it
    response: HttpResponse | None = resume_request(request)
    return response or redirect("home")
