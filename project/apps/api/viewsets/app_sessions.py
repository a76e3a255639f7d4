"""How apps sign in, stay signed in, and sign out.

Own code instead of allauth's views for apps. Those validate with other forms than its pages, and
so without the limits of guesses, the longest password and the addresses that belong to an identity
provider; two of them record the use of a session at each request. Here are the forms and the steps
of the pages, so their rules are these. What apps cannot do (sign up, reset or change a password,
manage addresses and factors, passkeys), they do by opening the site's page.
"""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn, cast

from allauth.account import app_settings as account_settings
from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from allauth.account.internal.stagekit import get_pending_stage
from allauth.core import ratelimit
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.stages import AuthenticateStage, TrustStage
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from allauth.utils import get_form_class
from django.conf import settings
from django.forms import BaseForm
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, Throttled
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import ViewSet

from apps.api.authentication import InvalidToken, challenge
from apps.api.authentication_jwt import JWTAuthentication
from apps.api.serializers.app_sessions import (
    TYPES,
    RefreshSerializer,
    SecondFactorNeededSerializer,
    SecondFactorSerializer,
    SignInSerializer,
    TokensSerializer,
)
from apps.users import app_sessions
from apps.users.sessions import SessionStore
from dovetail.api.faults import BadInput, Fault
from dovetail.api.filters import refuse_unknown
from dovetail.api.idempotency import refuse_unused_key
from dovetail.api.throttles import ThrottledMixin

# Seconds. `GUESS_LIMITS` are by the minute and by five minutes, and an exact time would tell which.
RETRY_AFTER = 300


@method_decorator(never_cache, name="dispatch")
class AppSessionViewSet(ThrottledMixin, ViewSet):
    """The session of an app. Cookies of a session, and access tokens, are ignored."""

    authentication_classes = (JWTAuthentication,)
    throttle_scope = "auth"
    # By action, for the schema: a wrong token, an account that needs the site, no app may sign in.
    problems: ClassVar[dict[str, tuple[int, ...]]] = {
        "create": (403, 404),
        "second_factor": (401, 403, 404),
        "refresh": (401, 404),
        "destroy": (404,),
    }

    def get_authenticators(self) -> list[Any]:
        return super().get_authenticators() if self._is_sign_out() else []

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated()] if self._is_sign_out() else [AllowAny()]

    def get_authenticate_header(self, request: Request) -> str:
        return challenge(request)  # also where no authenticator says so

    def _is_sign_out(self) -> bool:
        """Return whether the token counts; an app that signs in may still send one that expired."""
        request = self.request  # None while the schema is being made
        if request is None:
            return False
        actions: dict[str, str] = self.action_map  # REST framework asks before it sets `action`
        return actions.get((request.method or "").lower()) == "destroy"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not app_sessions.are_on():
            raise Http404
        super().initial(request, *args, **kwargs)
        refuse_unknown(request, ())
        refuse_unused_key(request, None)  # its answer would be stored, with tokens

    @extend_schema(
        auth=[],
        request=SignInSerializer,
        responses={200: TokensSerializer, 202: SecondFactorNeededSerializer},
    )
    def create(self, request: Request) -> Response:
        """Sign in with a password. The answer 202 asks for a second factor."""
        given = _valid(SignInSerializer, request)
        page = _page(request)
        if not ratelimit.consume(page, action="login"):
            raise _too_many()
        with app_sessions.in_session(page, SessionStore()):
            form = get_form_class(account_settings.FORMS, "login", LoginForm)(
                {"login": given["email"], "password": given["password"]}, request=page
            )
            if not form.is_valid():
                _refuse(form, {"login": "email"})
            return self._answer(page, form.login(page))

    @extend_schema(
        auth=[],
        request=SecondFactorSerializer,
        responses={200: TokensSerializer},
    )
    def second_factor(self, request: Request) -> Response:
        """Complete a sign-in. Send a code of an authenticator app, or a recovery code."""
        given = _valid(SecondFactorSerializer, request)
        session = app_sessions.sign_in_session(given["sign_in_token"])
        if session is None:
            raise InvalidToken
        page = _page(request)
        with app_sessions.in_session(page, session):
            stage = get_pending_stage(page)
            if stage is None or stage.key != AuthenticateStage.key:
                raise InvalidToken
            form = get_form_class(mfa_settings.FORMS, "authenticate", AuthenticateForm)(
                {"code": given["code"]}, user=stage.login.user
            )
            if not form.is_valid():
                _refuse(form, {})
            form.save()
            return self._answer(page, stage.exit())

    def _answer(self, page: HttpRequest, response: HttpResponseBase) -> Response:
        """Return what follows from a step of a sign-in, to which allauth's pages redirect."""
        stage = get_pending_stage(page)
        if stage is not None and stage.key == TrustStage.key:
            response = stage.exit()  # asks whether to ask again in this browser
            stage = None
        session = cast("SessionStore", page.session)
        if page.user.is_authenticated and (tokens := app_sessions.start(session)):
            answer = Response(asdict(tokens))
            name = settings.DEVICE_COOKIE_NAME
            if name in response.cookies:  # by which this app's guesses are told from others'
                answer.cookies[name] = response.cookies[name]
            return answer
        if stage is not None and stage.key == AuthenticateStage.key:
            types = [kind for kind in TYPES if is_mfa_enabled(stage.login.user, [kind])]
            if types:
                needed = {"sign_in_token": app_sessions.sign_in_token(session), "types": types}
                return Response(needed, status=HTTPStatus.ACCEPTED)
        raise PermissionDenied("Sign in on the site: an app cannot for this account.", "use_site")

    @extend_schema(
        auth=[],
        request=RefreshSerializer,
        responses={200: TokensSerializer},
    )
    def refresh(self, request: Request) -> Response:
        """Get new tokens. A refresh token works once; used again, it ends the session."""
        given = _valid(RefreshSerializer, request)
        tokens = app_sessions.refresh(_page(request), given["refresh_token"])
        if tokens is None:
            raise InvalidToken
        return Response(asdict(tokens))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request) -> Response:
        """Sign out. The tokens of the session stop working at once."""
        row = cast("UserSession", request.auth)
        page = _page(request)
        with app_sessions.in_session(page, SessionStore(row.session_key), request.user):
            get_adapter().logout(page)
        return Response(status=HTTPStatus.NO_CONTENT)


def _page(request: Request) -> HttpRequest:
    """Return the request as allauth knows it."""
    return request._request  # noqa: SLF001 - REST framework has no other name for it


def _valid(serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return cast("dict[str, Any]", checked.validated_data)


def _refuse(form: BaseForm, names: dict[str, str]) -> NoReturn:
    """Raise the errors of a form.

    Wrong passwords and codes are 400, not 401: an app answers that by refreshing its tokens.

    Args:
        form: the form.
        names: the members of the JSON, by those fields that are named differently.
    """
    faults = []
    for field, errors in form.errors.as_data().items():
        pointer = () if field == "__all__" else (names.get(field, field),)
        for error in errors:
            if error.code == "too_many_login_attempts":
                raise _too_many()
            faults += [Fault(text, error.code or "invalid", pointer) for text in error.messages]
    raise BadInput(*faults)


def _too_many() -> Throttled:
    return Throttled(RETRY_AFTER)
