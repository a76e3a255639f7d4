"""Single sign-on with OpenID Connect: allauth's flow, with every check that the standard requires.

Own code because allauth's provider does not verify the signature of an ID token that it fetched
itself, sends no nonce, accepts any issuer in a discovery document, and responds with a server error
when the provider is down. `apps.users.adapters` applies the claims to an account.
"""

import hashlib
import secrets
from functools import cached_property
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

from apps.users.sso import reauthentication, tokens
from apps.users.sso.claims import StorableClaimsMixin
from apps.users.sso.redirects import RedirectPageMixin
from dovetail.storable import is_storable

SESSION_KEY = "sso"  # holds the provider that this session came from, and its ID token
MAX_SUBJECT = 255  # characters, by OpenID Connect Core 2
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SingleSignOnAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Talks to one provider during one request.

    Attributes:
        state: what allauth stored before it redirected to the provider.
    """

    state: dict[str, Any]

    @cached_property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document.

        Raises:
            OAuth2Error: the provider is unavailable, or the document is invalid.
        """
        provider = self.get_provider()
        config = self._fetch(provider.server_url)
        if str(config.get("issuer")).rstrip("/") != provider.issuer.rstrip("/"):
            raise OAuth2Error(f"{provider.server_url} names another issuer than {provider.issuer}")
        if missing := [name for name in ENDPOINTS if not isinstance(config.get(name), str)]:
            raise OAuth2Error(f"{provider.server_url} has no {missing[0]}")
        return config

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return allauth's login for the user that the provider has authenticated.

        Raises:
            OAuth2Error: the provider is unavailable, or its response is invalid.
        """
        id_token = kwargs["response"].get("id_token")
        claims = tokens.verify(
            id_token,
            keys=self._fetch(self.openid_config["jwks_uri"]),
            issuer=self.openid_config["issuer"],
            client_id=app.client_id,
            nonce=self.state.get("nonce"),
            access_token=token.token,
        )
        data = {"id_token": claims}
        if endpoint := self.openid_config.get("userinfo_endpoint"):
            data["userinfo"] = self._fetch(endpoint, Authorization=f"Bearer {token.token}")
            if data["userinfo"].get("sub") != claims["sub"]:
                raise OAuth2Error("the user info and the ID token have different subjects")
        self.get_provider().extract_uid(data)  # refuses an invalid subject
        if reauthentication.STATE_KEY in self.state:
            answer = reauthentication.finish(request, self.get_provider(), self.state, data)
            raise ImmediateHttpResponse(answer)
        if self.state.get("process") == "login":
            request.session[SESSION_KEY] = {"provider": self.provider_id, "id_token": id_token}
        return self.get_provider().sociallogin_from_response(request, data)

    def _fetch(self, url: str, **headers: str) -> dict[str, Any]:
        try:
            with get_adapter().get_requests_session() as session:
                response = session.get(url, headers=headers)
                response.raise_for_status()
                document = response.json()
        except (OSError, ValueError) as error:  # requests' exceptions are subclasses of these
            raise OAuth2Error(f"Could not fetch {url}: {error}") from error
        if not isinstance(document, dict):
            raise OAuth2Error(f"{url} did not return a JSON object")
        return document


class SingleSignOnProvider(RedirectPageMixin, StorableClaimsMixin, OpenIDConnectProvider):  # type: ignore[misc]
    oauth2_adapter_class = SingleSignOnAdapter

    @property
    def issuer(self) -> str:
        return str(self.app.settings["server_url"])

    @property
    def server_url(self) -> str:
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"

    def redirect(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        nonce = secrets.token_urlsafe(16)
        kwargs["auth_params"] = {**(kwargs.get("auth_params") or {}), "nonce": nonce}
        try:
            return super().redirect(request, *args, nonce=nonce, **kwargs)
        except OAuth2Error as error:
            return _error_page(request, self, error)

    def claim(self, data: dict[str, Any], name: str) -> Any:
        """Return the value of a claim, or None if the provider has not sent it.

        Args:
            data: the account's `extra_data`.
            name: a key of `config.oidc.CLAIMS`, which the settings map to the provider's name.
        """
        claims = {**data.get("id_token", {}), **data.get("userinfo", {})}
        return claims.get(self.app.settings["claims"][name])

    def extract_uid(self, data: dict[str, Any]) -> str:
        subject = data["id_token"].get(self.app.settings["claims"]["subject"])
        if not isinstance(subject, str | int) or not str(subject):
            raise OAuth2Error("the ID token has no subject")
        uid = str(subject)
        # Never shortened or cleaned, which could make two subjects one.
        if len(uid) > MAX_SUBJECT or not is_storable(uid):
            raise OAuth2Error("the ID token has a malformed subject")
        if len(uid) > (SocialAccount._meta.get_field("uid").max_length or 0):
            return f"sha256:{hashlib.sha256(uid.encode()).hexdigest()}"
        return uid

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        email, name = self.claim(data, "email"), self.claim(data, "name")
        return {
            "email": email if isinstance(email, str) else None,
            "email_verified": self._vouches_for_email(data),
            "name": name if isinstance(name, str) else "",
        }

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        del data
        return []  # extract_common_fields returns the only one

    def _vouches_for_email(self, data: dict[str, Any]) -> bool:
        """Return whether a trusted provider has verified the address.

        Required for new accounts too: otherwise an attacker could create an account with someone
        else's address and wait for its owner to use it.
        """
        trusted = bool(self.app.settings["email_authentication"])
        return trusted and self.claim(data, "email_verified") in (True, "true")


class CallbackView(OAuth2CallbackView):  # type: ignore[misc]
    """Handles the redirect back from the provider."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().dispatch(request, *args, **kwargs)
        except OAuth2Error as error:  # raised before allauth handles such errors
            return _error_page(request, self.adapter.get_provider(), error)
        return response

    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[Any, Any]:
        state, response = super()._get_state(request, provider)
        self.adapter.state = state or {}
        if state is not None:
            self._check_issuer(request)
        return state, response

    def _check_issuer(self, request: HttpRequest) -> None:
        """Refuse the response of another provider, which may have been mixed up: RFC 9207."""
        config = self.adapter.openid_config
        named = request.GET.getlist("iss")
        is_required = config.get("authorization_response_iss_parameter_supported") is True
        if (named or is_required) and named != [config["issuer"]]:
            raise OAuth2Error("the response is from another issuer")


def _error_page(request: HttpRequest, provider: Any, error: Exception) -> HttpResponse:
    response: HttpResponse = render_authentication_error(request, provider, exception=error)
    return response
