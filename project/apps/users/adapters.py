"""Customizes allauth: accounts, social accounts, second factors and sessions."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.adapter import (
    DefaultSocialAccountAdapter,
    _build_apps_from_settings,
)
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.users import access_tokens, addresses, devices, encryption, enrolment, guesses
from apps.users.backends import has_withheld_rights
from apps.users.models import User
from apps.users.security_log import Kind, record
from apps.users.sessions import end_sessions
from apps.users.sso import binding, linking, reauthentication, rights
from apps.users.sso.provider import SESSION_KEY as SSO_KEY, SingleSignOnProvider
from apps.users.sso.views import LOGOUT_KEY
from dovetail.http import outgoing
from dovetail.http.address import client_address
from dovetail.lines import as_line
from dovetail.mail.messages import compose
from dovetail.models.conflicts import violated_constraint


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        with transaction.atomic():
            addresses.claim(email_address.email, user=email_address.user)
            return bool(super().confirm_email(request, email_address))

    def get_client_ip(self, request: HttpRequest) -> str:
        if address := client_address(request):
            return address
        raise PermissionDenied(
            "The address of the client is unknown, so its requests cannot be limited: set "
            "TRUSTED_PROXY_COUNT if the web server listens on a Unix socket behind a proxy."
        )

    def is_safe_url(self, url: str | None) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # no URL at all, such as `http://[`
            return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail whose links lead to `SITE_URL`, whichever host the request was for."""
        here = self.request.build_absolute_uri("/")
        links = {
            name: f"{settings.SITE_URL}/{value.removeprefix(here)}"
            for name, value in context.items()
            if isinstance(value, str) and value.startswith(here)
        }
        site = SimpleNamespace(domain=urlsplit(settings.SITE_URL).netloc, name=settings.SITE_NAME)
        super().send_mail(template_prefix, email, {**context, **links, "current_site": site})

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """Return a mail in the layout of all mail."""
        to = [email] if isinstance(email, str) else email
        return compose(template_prefix, context, to=to, headers=headers)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        if bound := binding.provider_for(user):
            self.send_mail("account/email/password_reset_bound", email, {"bound": bound})
            return
        super().send_password_reset_mail(user, email, context)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        # allauth calls its `rollback` once the password turns out to be right.
        email = credentials.get("email") or ""
        self._login_failed_rl_usage = guesses.count_password(request, email)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        try:
            return super().authenticate(request, **credentials)  # type: ignore[no-any-return]
        except guesses.LimitReached:
            make_password("timing")
            return None

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        bound = binding.provider_for(user)
        if bound and bound.provider != _provider_id(kwargs):
            clear_login(request)
            return linking.other_provider(request, bound)
        if user.deleted_at and not user.banned_at:
            return None  # `login` restores the account, once any second factor has been checked
        return super().pre_login(request, user, **kwargs)  # type: ignore[no-any-return]

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        if not request.user.is_authenticated:  # see `apps.users.sessions.start`
            messages.info(request, "You were signed out on all devices. Please sign in again.")
            raise ImmediateHttpResponse(redirect("account_login"))
        if user.deleted_at:
            user.restore()
            if not user.is_active:  # banned since the password was checked
                raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
            record(Kind.RESTORED, user)
            messages.success(request, "Welcome back. Your account has been restored.")

    def post_login(
        self, request: HttpRequest, user: User, *, signup: bool, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, signup=signup, **kwargs)
        if not signup and not devices.is_known(request, user):
            device = devices.describe(self.get_http_user_agent(request))
            self.send_notification_mail("account/email/new_device", user, {"device": device})
        devices.remember(request, response, user)
        if binding.is_exclusive(_provider_id(kwargs)):
            request.session.set_expiry(timezone.now() + settings.SSO_LIFETIME)
        return response

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Return how a person can prove who they are: only by the strongest that they have.

        With a second factor or a passkey, that is the factor: otherwise a password and an open
        session would be enough to remove it. A mailed code is for those who have nothing else, not
        even a provider that asks again: the browser that was left signed in here may be signed in
        to the mailbox too.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not isinstance(user, User):
            return methods
        if has_withheld_rights(user):
            providers = reauthentication.methods(self.request, user)
            return enrolment.next_proof(self.request, user, [*methods, *providers])
        if user.is_mfa_enabled:
            factors = [way for way in methods if way["id"].startswith("mfa_reauthenticate")]
            # The first one is asked for: without an app, the passkey, not a recovery code.
            return factors if is_mfa_enabled(user, [Authenticator.Type.TOTP]) else factors[::-1]
        stronger = [way for way in methods if way["id"] != "reauthenticate_by_code"]
        return stronger or reauthentication.methods(self.request, user) or methods

    def logout(self, request: HttpRequest) -> None:
        sso_session = request.session.get(SSO_KEY)
        super().logout(request)
        if sso_session:
            request.session[LOGOUT_KEY] = sso_session

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        if sso_session := request.session.get(SSO_KEY):
            return reverse("openid_connect_logout", args=[sso_session["provider"]])
        return super().get_logout_redirect_url(request)  # type: ignore[no-any-return]


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def get_requests_session(self) -> outgoing.Session:
        """Return what all requests to providers go through."""
        return outgoing.Session(timeout=settings.SOCIALACCOUNT_REQUESTS_TIMEOUT)

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the providers of the settings. None are in the database, so it is not asked."""
        del request
        apps = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for found in apps.values() for app in found]

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> Any:
        """Return a provider, or a stub with its name if accounts outlived its configuration."""
        try:
            return super().get_provider(request, provider, client_id)
        except SocialApp.DoesNotExist:
            if not SocialAccount.objects.filter(provider=provider).exists():
                raise
        app = SocialApp(provider="openid_connect", provider_id=provider, name=provider)
        return SingleSignOnProvider(request, app=app)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        name = data.get("name")
        length = User._meta.get_field("display_name").max_length
        user.display_name = as_line(name)[:length] if isinstance(name, str) else ""
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        provider = sociallogin.provider
        if not isinstance(provider, SingleSignOnProvider):
            return
        domains = provider.app.settings["email_domains"]
        # allauth has already dropped malformed addresses, such as "x@evil.example@ours.example".
        email = next((address.email for address in sociallogin.email_addresses), "")
        if domains and email.rpartition("@")[2] not in domains:
            page = {"provider": provider, "email": email}
            raise ImmediateHttpResponse(
                render(request, "socialaccount/domain_refused.html", page, status=403)
            )
        # Not for an account that an address leads to while another is being connected.
        is_connected = sociallogin.account.pk or sociallogin.state.get("process") == "login"
        if sociallogin.is_existing and is_connected:
            self._map_groups(sociallogin)

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return the account that the provider's word is enough to sign in to, and its address."""
        emails = [address.email for address in sociallogin.email_addresses if address.verified]
        trusted = [email for email in emails if self.can_authenticate_by_email(sociallogin, email)]
        return linking.account_for(sociallogin, trusted)

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        linking.check_new(request, sociallogin)
        return bool(super().is_auto_signup_allowed(request, sociallogin))

    def validate_disconnect(self, account: SocialAccount, accounts: Any) -> None:
        """Check that the account has another way in.

        Raises:
            ValidationError: its address belongs to the provider, which it would no longer follow.
        """
        bound = binding.provider_for(account.user)
        if bound and bound.provider == account.provider:
            raise ValidationError(str(bound))
        super().validate_disconnect(account, accounts)

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: BaseForm | None = None
    ) -> User:
        try:
            with transaction.atomic():
                linking.keep_confirmed(request, sociallogin)
                user: User = super().save_user(request, sociallogin, form)
        except IntegrityError as error:
            if violated_constraint(error) is None:
                raise
            messages.info(request, "Your account has just been created. Please sign in.")
            raise ImmediateHttpResponse(redirect("account_login")) from error
        if isinstance(sociallogin.provider, SingleSignOnProvider):
            self._map_groups(sociallogin)
        return user

    def _map_groups(self, sociallogin: SocialLogin) -> None:
        options = sociallogin.provider.app.settings
        rights.map_claim(
            sociallogin.user,
            sociallogin.account.provider,
            sociallogin.provider.claim(sociallogin.account.extra_data, "groups"),
            groups=options["groups"],
            staff=options["staff_groups"],
        )


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": settings.SITE_NAME}


class UserSessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    def end_sessions(self, sessions: Any) -> None:
        """End sessions; requests from the list of sessions need recent reauthentication.

        That page ends all others, including those that were not in the list yet, and revokes the
        access tokens.

        Raises:
            ReauthenticationRequired: the last one is longer ago than the timeout.
        """
        request = context.request
        match = getattr(request, "resolver_match", None)
        if match and match.view_name == "usersessions_list":
            raise_if_reauthentication_required(request, app="apps.users")
            with transaction.atomic():
                end_sessions(request.user, except_for=request.session)
                access_tokens.revoke_all(request.user)
                record(Kind.SESSIONS_ENDED, request.user)
        else:
            super().end_sessions(sessions)


def _provider_id(login: dict[str, Any]) -> str:
    """Return the provider by which a person signs in, from what allauth tells about a login."""
    sociallogin = (login.get("signal_kwargs") or {}).get("sociallogin")
    return str(sociallogin.account.provider) if sociallogin else ""
