"""Single sign-on by OpenID Connect: allauth's flow, with every check of the standard.

allauth's own provider does not check the signature of a token that it fetched itself, knows no
nonce, believes the issuer that a discovery document names, and ends in a server error when the
provider is down. What an account gets from its claims is in `apps.users.adapters`.
"""

import secrets
from functools import cached_property
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

from apps.users.sso import tokens
from apps.users.sso.leave import LeavingMixin

SESSION_KEY = "sso"  # how this session came about: the provider and its ID token
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SingleSignOnAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Talks to one provider for one request.

    Attributes:
        state: what the login kept before it left for the provider.
    """

    state: dict[str, Any]

    @cached_property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document.

        Raises:
            OAuth2Error: the provider does not answer, or not with a document of its own.
        """
        provider = self.get_provider()
        config = self._fetch(provider.server_url)
        if str(config.get("issuer")).rstrip("/") != provider.issuer.rstrip("/"):
            raise OAuth2Error(f"{provider.server_url} is of another issuer than {provider.issuer}")
        if missing := [name for name in ENDPOINTS if not isinstance(config.get(name), str)]:
            raise OAuth2Error(f"{provider.server_url} has no {missing[0]}")
        return config

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return who the provider says it is.

        Raises:
            OAuth2Error: its answer does not stand the checks.
        """
        id_token = kwargs["response"].get("id_token")
        claims = tokens.verify(
            id_token,
            keys=self._fetch(self.openid_config["jwks_uri"]),
            issuer=self.openid_config["issuer"],
            client_id=app.client_id,
            nonce=self.state.get("nonce"),
        )
        data = {"id_token": claims}
        if endpoint := self.openid_config.get("userinfo_endpoint"):
            data["userinfo"] = self._fetch(endpoint, Authorization=f"Bearer {token.token}")
            if data["userinfo"].get("sub") != claims["sub"]:
                raise OAuth2Error("the user info is about somebody else than the ID token")
        if self.state.get("process") == "login":
            request.session[SESSION_KEY] = {"provider": self.provider_id, "id_token": id_token}
        return self.get_provider().sociallogin_from_response(request, data)

    def _fetch(self, url: str, **headers: str) -> dict[str, Any]:
        try:
            with get_adapter().get_requests_session() as session:
                response = session.get(url, headers=headers)
                response.raise_for_status()
                document = response.json()
        except (OSError, ValueError) as error:  # those of requests are of these kinds
            raise OAuth2Error(f"{url} does not answer: {error}") from error
        if not isinstance(document, dict):
            raise OAuth2Error(f"{url} answers no JSON object")
        return document


class SingleSignOnProvider(LeavingMixin, OpenIDConnectProvider):  # type: ignore[misc]
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
            return _refuse(request, self, error)

    def claim(self, data: dict[str, Any], name: str) -> Any:
        """Return a claim by our name for it, None where the provider has not sent it.

        Args:
            data: what an account has in `extra_data`.
            name: a key of `config.oidc.CLAIMS`.
        """
        claims = {**data.get("id_token", {}), **data.get("userinfo", {})}
        return claims.get(self.app.settings["claims"][name])

    def extract_uid(self, data: dict[str, Any]) -> str:
        subject = data["id_token"].get(self.app.settings["claims"]["subject"])
        if not isinstance(subject, str | int) or not str(subject):
            raise OAuth2Error("the ID token names no subject")
        return str(subject)

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        email, name = self.claim(data, "email"), self.claim(data, "name")
        return {
            "email": email if isinstance(email, str) else None,
            "email_verified": self._vouches_for_email(data),
            "name": name if isinstance(name, str) else "",
        }

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        del data
        return []  # the one among the common fields

    def _vouches_for_email(self, data: dict[str, Any]) -> bool:
        """Only a trusted provider's word makes an address a verified one, of new accounts too.

        Otherwise somebody could wait in an account with the address of another for its owner.
        """
        trusted = bool(self.app.settings["email_authentication"])
        return trusted and self.claim(data, "email_verified") in (True, "true")


class CallbackView(OAuth2CallbackView):  # type: ignore[misc]
    """Where the provider sends people back to."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().dispatch(request, *args, **kwargs)
        except OAuth2Error as error:  # before allauth looks out for one
            return _refuse(request, self.adapter.get_provider(), error)
        return response

    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[Any, Any]:
        state, response = super()._get_state(request, provider)
        self.adapter.state = state or {}
        return state, response


def _refuse(request: HttpRequest, provider: Any, error: Exception) -> HttpResponse:
    response: HttpResponse = render_authentication_error(request, provider, exception=error)
    return response
