from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode

from apps.users.sso.provider import CallbackView, SingleSignOnAdapter
from apps.users.sso.redirects import redirect_page

LOGOUT_KEY = "sso_logout"  # the ended session's value of provider.SESSION_KEY


def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _answer(OAuth2LoginView, request, provider_id)


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _answer(CallbackView, request, provider_id)


def logout(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Redirect to the provider's logout, after the session on this site has ended.

    Follows OpenID Connect RP-Initiated Logout 1.0. If the provider is unavailable or has no logout
    endpoint, redirect to the home page.
    """
    ended = request.session.pop(LOGOUT_KEY, None)
    if not ended or ended["provider"] != provider_id:
        return redirect("home")
    try:
        adapter = _adapter(request, provider_id)
        provider = adapter.get_provider()
        endpoint = adapter.openid_config.get("end_session_endpoint")
    except (Http404, OAuth2Error):
        endpoint = None
    if not isinstance(endpoint, str):
        return redirect("home")
    query = urlencode(
        {
            "id_token_hint": ended["id_token"],
            "client_id": provider.app.client_id,
            "post_logout_redirect_uri": request.build_absolute_uri("/"),
        }
    )
    return redirect_page(request, f"{endpoint}{'&' if '?' in endpoint else '?'}{query}", provider)


def _answer(view: type, request: HttpRequest, provider_id: str) -> HttpResponse:
    adapter = _adapter(request, provider_id)
    response: HttpResponse = view.adapter_view(adapter)(request)  # type: ignore[attr-defined]
    return response


def _adapter(request: HttpRequest, provider_id: str) -> SingleSignOnAdapter:
    try:
        get_adapter().get_app(request, provider=provider_id)
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    return SingleSignOnAdapter(request, provider_id)
