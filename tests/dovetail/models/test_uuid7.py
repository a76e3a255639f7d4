import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from dovetail.models.uuid7 import uuid7


def test_uuid_has_version_7_and_the_rfc_variant() -> None:
    made = uuid7()

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_starts_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    stamp = uuid7().int >> 80

    assert before <= stamp <= time.time_ns() // 1_000_000


def test_matches_the_example_in_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9562, appendix A.6: 22 February 2022, 19:22:22 in UTC."""
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    monkeypatch.setattr(time, "time_ns", lambda: int(moment.timestamp()) * 10**9)

    assert str(uuid7()).startswith("017f22e2-79b0-7")


@given(st.lists(st.integers(0, 2**47 * 10**6), min_size=2, unique=True))
def test_sorts_by_time_to_a_quarter_of_a_microsecond(nanoseconds: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for moment in sorted(nanoseconds):
            patch.setattr(time, "time_ns", lambda moment=moment: moment)
            made.append(uuid7().int >> 62)

    assert made == sorted(made)


def test_uuids_are_unique() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000
