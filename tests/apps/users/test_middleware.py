"""Kind: check, then write. Two requests at once, as of a double click, find the same value free."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import SECRET, add_totp, code_in, reauthenticate, totp_code
from tests.dovetail.models.test_conflicts import while_another_commits
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("allow_session_queries"),
]
SHARED = "shared@example.org"


def test_address_that_two_people_confirm_at_once_belongs_to_one(
    client: Client, member: User, log_in: Callable[..., Client], mailoutbox: list[EmailMessage]
) -> None:
    log_in(member)
    reauthenticate(client)
    client.post("/accounts/email/", {"action_add": "", "email": SHARED})
    other = make_user("grace@example.org")

    answer = while_another_commits(
        lambda: EmailAddress.objects.create(user=other, email=SHARED, verified=True),
        lambda: client.post("/accounts/confirm-email/", {"code": code_in(mailoutbox[-1])}),
    )

    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    assert EmailAddress.objects.get(email=SHARED, verified=True).user == other


def test_app_that_is_added_twice_at_once_is_added_once(
    client: Client, member: User, log_in: Callable[..., Client]
) -> None:
    log_in(member)
    reauthenticate(client)
    session = client.session
    session["mfa.totp.secret"] = SECRET
    session.save()

    answer = while_another_commits(
        lambda: add_totp(member),
        lambda: client.post("/accounts/2fa/totp/activate/", {"code": totp_code()}),
    )

    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert Authenticator.objects.filter(user=member, type=Authenticator.Type.TOTP).count() == 1
