"""Calls a function once for all that a transaction has for it.

    on_commit_together(send, names, order=REFRESH)

Own code because `transaction.on_commit()` calls each function as often as it was asked to: a
thousand rows that are deleted would send a thousand messages, one after another.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

# What comes first on commit: a page that is told to refresh must not find what was before.
EXPIRE, RECHECK, REFRESH, SEND = range(4)
EARLY = {EXPIRE, RECHECK}  # before other functions, which may make pages; the rest is after them

Send = Callable[[list[Any]], None]
_numbers = count()


class Call:
    """A function on commit, which makes the calls of others of its transaction, too.

    The first makes those that are `EARLY`, and the last makes the rest. So a page that is told to
    refresh shows what functions between them do, such as `cache.delete`.

    Django alone has the calls of a transaction, and lets go of those of a savepoint that is rolled
    back. So the ones that are left are those that still exist.
    """

    def __init__(self, send: Send, items: Iterable[Hashable], order: int) -> None:
        self.__qualname__ = "Call"  # Django asks functions on commit for it
        self.send, self.items, self.order = send, dict.fromkeys(items), order
        self.before: list[Call] = []  # whose calls this one makes
        self.number = next(_numbers)
        self.waiting: WeakValueDictionary[int, Call] = WeakValueDictionary()

    def __call__(self) -> None:
        if self.number not in self.waiting:
            return  # one before it has made its call
        # Not those before it: they wait in another transaction, as in a test that captures calls.
        following = [call for number, call in sorted(self.waiting.items()) if number >= self.number]
        calls = [call for call in following if call.order in EARLY]
        late = [call for call in following if call.order not in EARLY]
        if late == [self]:
            calls += [*self.before, self]
        elif late and late[0] is self:
            late[-1].before = late[:-1]  # Django lets go of each before it calls the next
            for call in late[:-1]:
                del self.waiting[call.number]
        together: dict[Send, dict[Hashable, None]] = {}
        for call in sorted(calls, key=lambda call: call.order):
            self.waiting.pop(call.number, None)
            together.setdefault(call.send, {}).update(call.items)
        for send, items in together.items():
            _make(send, list(items))


_waiting: WeakKeyDictionary[BaseDatabaseWrapper, WeakValueDictionary[int, Call]] = (
    WeakKeyDictionary()
)


def on_commit_together(
    send: Send, items: Iterable[Hashable], *, order: int, using: str | None = None
) -> None:
    """Call a function when the current transaction commits, once with all items given for it.

    Without those of savepoints that are rolled back.

    Args:
        send: takes the items, each of them once, in the order in which they were first given. If
            it fails, that is logged.
        items: what to call it with.
        order: `EXPIRE` for values in a cache, `RECHECK` for access to a stream, `REFRESH` for
            pages, or `SEND` for what nothing else waits for.
        using: the alias of the database that the transaction is on; the default one if None.

    Raises:
        TypeError: an item cannot be hashed.
    """
    call = Call(send, items, order)
    waiting = _waiting.setdefault(transaction.get_connection(using), WeakValueDictionary())
    call.waiting = waiting
    waiting[call.number] = call
    transaction.on_commit(call, using=using, robust=True)


def expire_first(using: str | None = None) -> None:
    """Have cached values expire on commit before functions that are given to it from now on.

    Even those that are invalidated later. For functions that make a part of a page.
    """
    on_commit_together(_expire_nothing_else, (), order=EXPIRE, using=using)


def waiting_for_commit(send: Send) -> Iterator[Any]:
    """Yield what a function will be called with by the transactions of this thread."""
    for connection in connections.all(initialized_only=True):
        # No other reference to the list: its calls have to be gone once they are rolled back.
        for number in range(len(connection.run_on_commit)):
            callback = connection.run_on_commit[number][1]
            if isinstance(callback, Call) and callback.send == send:
                yield from callback.items


def _expire_nothing_else(_: list[Any]) -> None:
    """Do nothing: the first call makes those that are `EARLY`."""


def _make(send: Send, items: list[Any]) -> None:
    try:
        send(items)
    except Exception:  # the others are called, as Django calls robust functions
        logger.exception("%s has failed after a commit", getattr(send, "__qualname__", send))
