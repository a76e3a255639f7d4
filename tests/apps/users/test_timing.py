"""The time of an answer does not tell whether an address has an account, or in what state it is.

Kind: an entry point that does less for some addresses. Hashing takes most of the time, so each test
counts the hashes, and then compares the times with a real hasher: the addresses take turns, and of
each the median counts. It is the processor's time, because others use the machine too.
"""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD
from tests.factories import make_user

pytestmark = pytest.mark.django_db

ROUNDS = 7
MARGIN = 2  # of medians; without its hash, a login takes less than a third of the time
UNKNOWN = "nobody@example.org"
STATES = {
    "unknown": UNKNOWN,
    "known": "known@example.org",
    "unverified": "unverified@example.org",
    "deactivated": "deactivated@example.org",
    "deleted": "deleted@example.org",
    "without a password": "passkey@example.org",
}


class Hasher(PBKDF2PasswordHasher):
    """Django's hasher, which takes a tenth of the usual time, and still most of a request's."""

    algorithm = "counted"
    iterations = PBKDF2PasswordHasher.iterations // 10
    count = 0

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        type(self).count += 1
        return super().encode(password, salt, iterations)


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    """Create an account in each state."""
    settings.PASSWORD_HASHERS = [f"{__name__}.Hasher"]
    deleted_at = timezone.now() - timedelta(days=1)
    fields = {"deactivated": {"is_active": False}, "deleted": {"is_active": False}}
    fields["deleted"]["deleted_at"] = deleted_at  # type: ignore[assignment]
    for state, email in STATES.items():
        if email == UNKNOWN:
            continue
        password = None if state == "without a password" else PASSWORD
        user = make_user(email, password=password, **fields.get(state, {}))
        verified = state != "unverified"
        EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)


def log_in(email: str) -> int:
    return Client().post("/accounts/login/", {"login": email, "password": "wrong"}).status_code


def sign_up(email: str) -> int:
    data = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return Client().post("/accounts/signup/", data).status_code


def sign_up_within_the_cooldown(email: str) -> int:
    return sign_up(email)


def ask_for_a_reset(email: str) -> int:
    return Client().post("/accounts/password/reset/", {"email": email}).status_code


ENTRIES: dict[Callable[[str], int], int] = {
    log_in: 1,
    sign_up: 1,
    sign_up_within_the_cooldown: 0,
    ask_for_a_reset: 0,
}


def prepare(entry: Callable[[str], int], email: str) -> None:
    """Let each request find what the first one finds, without rate limits of others."""
    cache.clear()
    if entry is sign_up_within_the_cooldown:
        sign_up(email)  # sends the mail, after which there is a cooldown
    User.objects.filter(email=UNKNOWN).delete()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_all_addresses_take_as_many_hashes(entry: Callable[[str], int]) -> None:
    answers = {}
    for state, email in STATES.items():
        prepare(entry, email)
        before = Hasher.count
        answers[state] = (entry(email), Hasher.count - before)

    is_refused = entry in {log_in, sign_up_within_the_cooldown}
    usual = HTTPStatus.UNPROCESSABLE_ENTITY if is_refused else HTTPStatus.SEE_OTHER
    assert answers == dict.fromkeys(STATES, (usual, ENTRIES[entry]))


@pytest.mark.long("repeats what takes a while; hashes are counted in any run")
@pytest.mark.parametrize(
    "entry",
    ENTRIES,
    ids=lambda entry: entry.__name__,
)
def test_all_addresses_take_as_long(entry: Callable[[str], int]) -> None:
    times: dict[str, list[float]] = {state: [] for state in STATES}
    for _ in range(ROUNDS):
        for state, email in STATES.items():
            prepare(entry, email)
            start = time.thread_time()
            entry(email)
            times[state].append(time.thread_time() - start)

    medians = {state: statistics.median(taken) for state, taken in times.items()}
    assert max(medians.values()) < min(medians.values()) * MARGIN, medians
