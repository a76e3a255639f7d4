import gc
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from dovetail.database.commit import (
    EXPIRE,
    REFRESH,
    expire_first,
    on_commit_together,
    waiting_for_commit,
)


class Sent:
    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []

    def first(self, items: list[Any]) -> None:
        self.calls.append(("first", items))

    def second(self, items: list[Any]) -> None:
        self.calls.append(("second", items))

    def failing(self, items: list[Any]) -> None:
        raise ValueError(items)


def sent_to_nobody(name: str, items: list[Any]) -> None:
    raise ValueError(name, items)


@pytest.fixture
def sent() -> Iterator[Sent]:
    gc.disable()  # what is rolled back has to be gone without it
    yield Sent()
    gc.enable()


together = partial(on_commit_together, order=1)


@pytest.mark.django_db(transaction=True)
class TestTransaction:
    def test_call_is_made_at_once_without_one(self, sent: Sent) -> None:
        together(sent.first, ["a", "b", "a"])
        together(sent.first, ["a"])

        assert sent.calls == [("first", ["a", "b"]), ("first", ["a"])]

    def test_items_are_sent_once_on_commit(self, sent: Sent) -> None:
        with transaction.atomic():
            together(sent.first, ["a"])
            with transaction.atomic():
                together(sent.first, ["b", "a"])
            transaction.on_commit(lambda: sent.second(["between"]))
            together(sent.first, ["c"])
            assert list(waiting_for_commit(sent.first)) == ["a", "b", "a", "c"]
            assert sent.calls == []

        assert sent.calls == [("first", ["a", "b", "c"]), ("second", ["between"])]
        assert not list(waiting_for_commit(sent.first))

    def test_lower_order_is_called_before(self, sent: Sent) -> None:
        with transaction.atomic():
            on_commit_together(sent.second, [1], order=2)
            on_commit_together(sent.first, [2], order=1)

        assert sent.calls == [("first", [2]), ("second", [1])]

    def test_rolled_back_transaction_sends_nothing(self, sent: Sent) -> None:
        with transaction.atomic():
            together(sent.first, ["a"])
            transaction.set_rollback(True)
        with transaction.atomic():
            together(sent.first, ["b"])

        assert sent.calls == [("first", ["b"])]

    @pytest.mark.parametrize("at", ["start", "end"])
    def test_rolled_back_savepoint_sends_nothing(self, sent: Sent, at: str) -> None:
        with transaction.atomic():
            if at == "end":
                together(sent.first, ["a"])
            with transaction.atomic():
                together(sent.first, ["b"])
                transaction.set_rollback(True)
            if at == "start":
                together(sent.first, ["a"])

        assert sent.calls == [("first", ["a"])]

    def test_failure_stops_no_other_call(
        self, sent: Sent, caplog: pytest.LogCaptureFixture
    ) -> None:
        with transaction.atomic():
            together(sent.failing, ["a"])
            together(sent.first, ["b"])
            transaction.on_commit(lambda: sent.second(["c"]))

        assert sent.calls == [("first", ["b"]), ("second", ["c"])]
        assert "Sent.failing has failed after a commit" in caplog.text

    def test_function_without_a_name_may_fail(self, caplog: pytest.LogCaptureFixture) -> None:
        with transaction.atomic():
            together(partial(sent_to_nobody, "x"), ["a"])

        assert "functools.partial" in caplog.text

    def test_item_that_cannot_be_hashed_is_an_error_where_it_is_given(self, sent: Sent) -> None:
        with transaction.atomic():
            together(sent.first, ["a"])
            with pytest.raises(TypeError, match="unhashable"):
                together(sent.second, [["b"]])  # type: ignore[list-item] # as it may be

        assert sent.calls == [("first", ["a"])]

    def test_refresh_comes_after_functions_before_it(self, sent: Sent) -> None:
        """Kind: a page that asks again before the cache it shows has been emptied."""
        with transaction.atomic():
            on_commit_together(sent.first, ["a"], order=REFRESH)
            transaction.on_commit(lambda: sent.second(["cache.delete"]))
            for name in ("b", "c", "a"):
                on_commit_together(sent.first, [name], order=REFRESH)
            on_commit_together(sent.second, ["expired"], order=EXPIRE)
            assert sent.calls == []

        assert sent.calls == [
            ("second", ["expired"]),
            ("second", ["cache.delete"]),
            ("first", ["a", "b", "c"]),
        ]

    def test_values_expire_before_a_function_that_was_given_earlier(self, sent: Sent) -> None:
        """Kind: a broadcast that renders what the transaction has made invalid later."""
        with transaction.atomic():
            expire_first()
            transaction.on_commit(lambda: sent.second(["rendered"]))
            on_commit_together(sent.first, ["expired"], order=EXPIRE)

        assert sent.calls == [("first", ["expired"]), ("second", ["rendered"])]

    def test_failure_of_another_function_does_not_reach_the_next_transaction(
        self, sent: Sent
    ) -> None:
        def cut_off() -> None:
            with transaction.atomic():
                on_commit_together(sent.first, ["a"], order=REFRESH)
                transaction.on_commit(partial(sent_to_nobody, "cut", []))
                on_commit_together(sent.first, ["b"], order=REFRESH)

        with pytest.raises(ValueError, match="cut"):
            cut_off()
        with transaction.atomic():
            on_commit_together(sent.first, ["c"], order=REFRESH)

        assert sent.calls == [("first", ["c"])]

    def test_items_that_are_looked_at_while_they_are_rolled_back_are_not_sent(
        self, sent: Sent
    ) -> None:
        with transaction.atomic():
            together(sent.first, ["a"])
            with transaction.atomic():
                together(sent.first, ["b"])
                looking = waiting_for_commit(sent.first)
                next(looking)
                transaction.set_rollback(True)

        assert sent.calls == [("first", ["a"])]

    def test_call_may_have_more_to_send(self, sent: Sent) -> None:
        def more(items: list[Any]) -> None:
            together(sent.first, items)

        with transaction.atomic():
            together(more, ["a"])

        assert sent.calls == [("first", ["a"])]


@pytest.mark.django_db
def test_tests_capture_what_was_asked_for_meanwhile(
    sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    together(sent.first, ["before"])

    for name in ("a", "b"):
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            together(sent.first, [name])
            together(sent.first, [name])
        assert len(callbacks) == 2

    assert sent.calls == [("first", ["a"]), ("first", ["b"])]
