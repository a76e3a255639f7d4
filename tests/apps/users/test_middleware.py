"""Kind: check, then write. Two requests at once, as of a double click, find the same value free."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import SECRET, add_totp, reauthenticate, totp_code
from tests.dovetail.models.test_conflicts import while_another_commits
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("allow_session_queries"),
]
SHARED = "shared@example.org"


def test_address_that_two_people_confirm_at_once_belongs_to_one(
    client: Client, member: User
) -> None:
    EmailAddress.objects.create(user=member, email=SHARED)
    other = make_user("grace@example.org")
    address = EmailAddress.objects.create(user=other, email=SHARED)
    link = f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/"

    answer = while_another_commits(
        lambda: EmailAddress.objects.filter(user=member, email=SHARED).update(verified=True),
        lambda: client.post(link),
    )

    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert EmailAddress.objects.get(email=SHARED, verified=True).user == member


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
