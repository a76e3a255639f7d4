import pytest
from amqp.exceptions import (
    AccessRefused,
    FrameSyntaxError,
    MessageNacked,
    NotAllowed,
    PreconditionFailed,
)
from celery.exceptions import NotRegistered
from kombu.exceptions import DecodeError, OperationalError
from redis.exceptions import ResponseError

from dovetail.tasks.queues import is_unavailable

PUBLISH, DECLARE = (60, 40), (50, 10)  # classes and methods of AMQP


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("gone"), True),
        (ResponseError("OOM"), True),
        (MessageNacked(), True),
        (AccessRefused("login"), True),
        (AccessRefused("no right", PUBLISH), True),
        (NotAllowed("no such vhost"), True),
        (PreconditionFailed("of another kind", DECLARE), True),
        (PreconditionFailed("too large", PUBLISH), False),
        (FrameSyntaxError("a header that AMQP does not know"), False),
        (NotRegistered("gone"), False),
        (DecodeError("no JSON"), False),
    ],
)
def test_errors_of_the_broker_and_of_a_message_are_told_apart(
    error: Exception, expected: bool
) -> None:
    assert is_unavailable(error) is expected
