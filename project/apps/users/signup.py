"""Sign-up: an account is created when its address is confirmed, with a code, in the same session.

Until then there is only the session of the person who asked. So nobody can take an address that is
not theirs, prepare an account for its owner, or keep them from signing up. Known addresses get the
same pages, and a mail that says so.

Own code because allauth creates the account first and confirms its address later.
"""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    ConfirmEmailVerificationCodeForm,
    SignupForm as AllauthSignupForm,
)
from allauth.account.internal.flows.code_verification import AbstractCodeVerificationProcess
from allauth.account.internal.flows.email_verification import (
    consume_email_verification_rate_limit,
)
from allauth.account.internal.flows.signup import complete_signup
from allauth.account.internal.templatekit import get_entrance_context_data
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.core import context
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.forms import SignupForm as AllauthSocialSignupForm
from allauth.socialaccount.internal.flows.signup import complete_social_signup
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from apps.users import addresses
from apps.users.forms import refuse_bound
from apps.users.models import User
from apps.users.passwords import PasswordForm
from apps.users.sso import binding
from dovetail.models.conflicts import violated_constraint

SESSION_KEY = "signup"
TOO_SOON = "An email has just been sent to this address. Try again in a few seconds."


class PendingSignup(AbstractCodeVerificationProcess):  # type: ignore[misc]
    """A sign-up in its session.

    Its `state` has the `email` and the mailed `code`; `password`, hashed, or `social`, allauth's
    login with a provider; and `next`, the page that the person came for.
    """

    def __init__(self, request: HttpRequest, state: dict[str, Any]) -> None:
        self.request = request
        super().__init__(
            max_attempts=settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS,
            timeout=settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT,
            state=state,
        )

    @classmethod
    def resume(cls, request: HttpRequest) -> "PendingSignup | None":
        """Return the session's sign-up, unless its code has expired."""
        state = request.session.get(SESSION_KEY)
        return cls(request, state).abort_if_invalid() if state else None

    @property
    def email(self) -> str:
        return str(self.state["email"])

    def persist(self) -> None:
        self.request.session[SESSION_KEY] = self.state

    def abort(self) -> None:
        self.request.session.pop(SESSION_KEY, None)

    def send(self) -> None:
        adapter = get_adapter()
        if addresses.owner(self.email):
            adapter.send_account_already_exists_mail(self.email)
        else:
            details = {"code": self.code}
            adapter.send_mail("account/email/email_confirmation_signup", self.email, details)

    def finish(self) -> HttpResponse:
        """Create the account and sign its owner in."""
        self.abort()
        try:
            with transaction.atomic():
                addresses.claim(self.email)
                login = self._create()
        except IntegrityError as error:  # confirmed in another tab in the meantime
            if violated_constraint(error) is None:
                raise
            messages.info(self.request, "Your account has just been created. Please sign in.")
            return redirect("account_login")
        if isinstance(login, SocialLogin):
            response = complete_social_signup(self.request, login)
        else:
            response = complete_signup(
                self.request, user=login, redirect_url=self.state.get("next")
            )
        return cast("HttpResponse", response)

    def _create(self) -> User | SocialLogin:
        address = EmailAddress(email=self.email, verified=True, primary=True)
        if self.state.get("social"):
            login = SocialLogin.deserialize(self.state["social"])
            login.user.email = self.email
            login.email_addresses = [address]
            get_social_adapter().save_user(self.request, login)
            return login
        user: User = get_adapter().new_user(self.request)
        user.email, user.password = self.email, self.state["password"]
        user.save()
        address.user = user
        address.save()
        return user


def start(
    request: HttpRequest, email: str, *, password: str = "", sociallogin: SocialLogin | None = None
) -> HttpResponse:
    """Mail a code to the address and ask for it.

    Args:
        request: the request of the person who signs up.
        email: the address to confirm, validated.
        password: the chosen password, validated, unless a provider signs the person in.
        sociallogin: the login at that provider.
    """
    state = PendingSignup.initial_state(None, email)
    state["code"] = get_adapter().generate_email_verification_code()
    # Hashing takes most of the time; it must not depend on whether the address is known.
    state["password"] = make_password(password) if password else ""
    state["social"] = sociallogin.serialize() if sociallogin else None
    state["next"] = get_next_redirect_url(request)
    pending = PendingSignup(request, state)
    pending.send()
    pending.persist()
    return redirect("signup_confirm")


class PendingFormMixin:
    """For allauth's sign-up forms: starts a sign-up instead of creating an account."""

    def validate_unique_email(self, value: str) -> str:
        refuse_bound(value)
        return value  # whether it is known, only its mailbox learns

    def clean(self) -> Any:
        data = super().clean()  # type: ignore[misc]
        form = cast("BaseForm", self)
        if not form.errors and not consume_email_verification_rate_limit(
            context.request, form.cleaned_data["email"]
        ):
            form.add_error(None, TOO_SOON)
        return data


class SignupForm(PendingFormMixin, PasswordForm, AllauthSignupForm):  # type: ignore[misc]
    def try_save(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        data = self.cleaned_data
        return None, start(request, data["email"], password=data["password1"])


class SocialSignupForm(PendingFormMixin, AllauthSocialSignupForm):  # type: ignore[misc]
    def validate_unique_email(self, value: str) -> str:
        if not binding.may_sign_in(self.sociallogin.account.provider, value):
            raise ValidationError("People with this address may not sign in that way.")
        return super().validate_unique_email(value)

    def try_save(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        return None, start(request, self.cleaned_data["email"], sociallogin=self.sociallogin)


class ConfirmForm(ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    """Takes the mailed code for an address of an account."""

    def clean_code(self) -> str:
        code = super(ConfirmEmailVerificationCodeForm, self).clean_code()
        holder = addresses.owner(self.email)
        if holder is not None and holder != self.user:
            raise get_adapter().validation_error("email_taken")
        return str(code)


@method_decorator([never_cache, login_not_required], name="dispatch")
class SignupConfirmView(FormView[Any]):
    template_name = "account/signup_confirm.html"
    form_class = ConfirmForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        pending = PendingSignup.resume(request)
        if pending is None or request.user.is_authenticated:
            return redirect("account_signup")
        self.pending = pending
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        state = {"code": self.pending.code, "email": self.pending.email, "user": None}
        return super().get_form_kwargs() | state

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        details = {"email": self.pending.email, **get_entrance_context_data(self.request)}
        return super().get_context_data(**kwargs) | details

    def form_valid(self, form: Any) -> HttpResponse:
        del form
        return self.pending.finish()

    def form_invalid(self, form: Any) -> HttpResponse:
        if self.pending.record_invalid_attempt():
            return super().form_invalid(form)
        messages.error(self.request, "That was the last attempt. Sign up again to get a new code.")
        return redirect("account_signup")
