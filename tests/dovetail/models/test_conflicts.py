"""Check, then write: two requests at once find the same unique value free."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, connections, transaction

from dovetail.models.conflicts import retry_on_conflict
from tests.dovetail.shelves.models import Book, Label, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(*functions: Callable[[], Any]) -> list[Any]:
    """Call functions in threads with their own connections; return results or exceptions."""

    def call(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except Exception as error:  # noqa: BLE001 - the tests look at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(call, functions))


def test_losers_of_a_race_for_a_unique_value_try_again() -> None:
    start = Barrier(6)

    def take() -> str:
        def write(attempt: int) -> str:
            name = f"A{Shelf.objects.count()}"
            if not attempt:
                start.wait()  # all have found the same name free
            return Shelf.objects.create(name=name).name

        return retry_on_conflict(write, using="default", constraint="shelf_name_is_unique")

    assert sorted(in_threads(*[take] * 6)) == [f"A{number}" for number in range(6)]


def test_a_conflict_leaves_an_outer_transaction_usable() -> None:
    Shelf.objects.create(name="A")

    with transaction.atomic():
        shelf = retry_on_conflict(
            lambda attempt: Shelf.objects.create(name="AB"[attempt]),
            using="default",
            constraint="shelf_name_is_unique",
        )

    assert shelf.name == "B"


def test_retries_are_bounded_and_only_for_the_named_constraint() -> None:
    Shelf.objects.create(name="A")
    attempts = []

    def write(attempt: int) -> None:
        attempts.append(attempt)
        Shelf.objects.create(name="A")

    with pytest.raises(IntegrityError):
        retry_on_conflict(write, using="default", constraint="shelf_name_is_unique", attempts=3)
    assert attempts == [0, 1, 2]
    with pytest.raises(IntegrityError):
        retry_on_conflict(write, using="default", constraint="another")
    assert attempts == [0, 1, 2, 0]


def test_restoring_onto_a_value_that_is_taken_in_between_is_refused() -> None:
    """The rival's row is not committed when the restoration checks for it."""
    deleted = Shelf.objects.create(name="A")
    deleted.delete()

    error = while_another_commits(lambda: Shelf.objects.create(name="A"), deleted.restore)

    assert isinstance(error, ValidationError)
    assert Shelf.objects.count() == 1
    assert deleted.is_deleted


def test_restoring_a_row_whose_parent_is_being_deleted_is_refused() -> None:
    shelf = Shelf.objects.create(name="A")
    book = Book.objects.create(shelf=shelf, title="A")
    book.delete()

    error = while_another_commits(shelf.delete, book.restore)

    assert isinstance(error, ValidationError)
    assert not Book.objects.exists()


def test_restoring_a_row_whose_dependent_has_lost_its_unique_value_is_refused() -> None:
    shelf = Shelf.objects.create(name="A")
    label = Label.objects.create(shelf=shelf, text="A")
    shelf.delete()
    Label.objects.create(shelf=Shelf.objects.create(name="B"), text="A")

    with pytest.raises(ValidationError, match="must be unique"):
        shelf.restore()

    shelf.refresh_from_db()
    label.refresh_from_db()
    assert shelf.is_deleted
    assert label.is_deleted


def while_another_commits(first: Callable[[], object], second: Callable[[], Any]) -> Any:
    """Return the result or exception of `second`, which meets what `first` wrote after its checks.

    The transaction of `first` is committed when `second`, in another thread, waits for its lock.
    """
    pid: list[int] = []

    def run_second() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid.append(cursor.fetchone()[0])
        return second()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first()
        result = pool.submit(lambda: in_threads(run_second)[0])
        _wait_for_lock(pid)
    return result.result()


def _wait_for_lock(pid: list[int]) -> None:
    """Wait until the other connection waits for a lock of this transaction."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE pid = ANY(%s) AND NOT granted", [pid]
            )
            if cursor.fetchone()[0]:
                return
