"""The app does what its schema says, whatever it is sent.

Each test is run as several senders: without credentials, with a session, with tokens, and with a
JWT. The cases are the same in each run; `--hypothesis-seed=1` tries others.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.core import signals
from django.db import close_old_connections, connection
from hypothesis import given, settings as fuzzing
from pytest_django.fixtures import Settings
from schemathesis.core.transport import Response

from tests.apps.api.contract import (
    AnyCase,
    InProcess,
    contract,
    random_cases,
    settings_for,
    systematic_cases,
)
from tests.apps.api.senders import SENDERS, make_rows

# In one worker, for loading the schema and making the cases takes seconds.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("contract")]

SIGNED_IN = ["session", "write_token", "jwt"]
# The cases of each test, at least: by default, and with --long.
SYSTEMATIC, RANDOM, STATEFUL = (290, 1500), (40, 1800), (120, 1200)
SCENARIOS, STEPS = (16, 160), 8


@pytest.fixture
def size(pytestconfig: pytest.Config) -> int:
    """Return which of two numbers counts."""
    return int(pytestconfig.getoption("--long"))


@pytest.fixture
def caller(request: pytest.FixtureRequest, settings: Settings) -> Iterator[InProcess]:
    """Return one of the senders, on a site with rows and the settings of production.

    Its rates are higher, since most answers would be 429.
    """
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.startswith("zeal.")]
    settings.SECURE_SSL_REDIRECT = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME = "__Host-sessionid"
    settings.CSRF_COOKIE_NAME = "__Host-csrftoken"
    settings.API_RATES = {
        scope: dict.fromkeys(limits, 10**6) for scope, limits in settings.API_RATES.items()
    }
    sender = SENDERS[request.param](make_rows())
    connection.run_on_commit.clear()
    # As Django's own test client does: the connection has the transaction of the test.
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield InProcess(sender)
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


def test_there_are_enough_cases() -> None:
    for size, least in enumerate((2_000, 20_000)):
        by_sender = SYSTEMATIC[size] + RANDOM[size]
        assert by_sender * len(SENDERS) + STATEFUL[size] * len(SIGNED_IN) >= least


@pytest.mark.parametrize("caller", SENDERS, indirect=True)
def test_systematic_cases(caller: InProcess, size: int, request: pytest.FixtureRequest) -> None:
    """Kind: a limit that the schema states, but the app does not have, or the other way round."""
    cases = systematic_cases()
    if not size:  # each case as one of the senders
        number = list(SENDERS).index(request.node.callspec.params["caller"])
        cases = cases[number :: len(SENDERS)]

    for case in cases:
        caller.send(case)

    caller.assert_conformance(SYSTEMATIC[size])


@pytest.mark.parametrize("caller", SENDERS, indirect=True)
def test_random_cases(caller: InProcess, size: int) -> None:
    @settings_for(RANDOM[size])
    @given(random_cases())
    def send(case: AnyCase) -> None:
        caller.send(case)

    send()

    caller.assert_conformance(RANDOM[size])


@pytest.mark.parametrize("caller", SIGNED_IN, indirect=True)
def test_scenarios(caller: InProcess, size: int) -> None:
    """Kind: rows that others have made, which are not as the first were, or are gone.

    The links from one operation to the next are those that Schemathesis finds in the schema.
    """

    class Scenario(contract().as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.stack = ExitStack()
            self.stack.enter_context(caller.undone())

        def teardown(self) -> None:
            self.stack.close()

        def get_call_kwargs(self, case: AnyCase) -> dict[str, Any]:
            del case
            return caller.kwargs()

        def after_call(self, response: Response, case: AnyCase) -> None:
            del response, case
            caller.committed()

        def validate_response(self, response: Response, case: AnyCase, **kwargs: Any) -> None:
            del kwargs
            caller.check(case, response, recorder=self.recorder)

    Scenario.run(settings=fuzzing(settings_for(SCENARIOS[size]), stateful_step_count=STEPS))

    caller.assert_conformance(STATEFUL[size])
