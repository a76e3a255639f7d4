"""Values that take long to compute: kept for a while, and computed by one process at a time.

    count = cached("articles.count", Article.objects.published().count, ttl=300, tags=["articles"])

`Cache.get_or_set` keeps a value too, but when it expires, every request that comes before it has
been computed again computes it. Here, one does, and meanwhile the others get the old value, or wait
if there is none. A value is dropped once one of its tags has been invalidated:

    invalidate("articles")  # when the current transaction commits

A tag is a random word in the cache. A value is stored with the words that its tags had before it
was computed, and is valid for as long as they are the same. So a value that was computed from rows
which have changed meanwhile is never believed, and nothing has to list the values of a tag.

A transaction that has invalidated a tag computes its values itself until it ends, because only it
sees its changes.
"""

import math
import random
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.cache import BaseCache, caches
from django.db import models
from django.db.models.signals import post_delete, post_save

from dovetail.database.commit import EXPIRE, on_commit_together, waiting_for_commit
from dovetail.database.replica import from_primary
from dovetail.models.signals import rows_changed

T = TypeVar("T")

CACHE = "computed"  # in CACHES
STALE = 60  # seconds that an expired value is kept for those who come while it is computed again
LOCK = 30  # seconds after which whoever computes a value is taken for dead, by default
WORD = 86_400  # seconds that a tag keeps its word; then its values are computed again
POLL = (0.01, 0.2)  # seconds until the next look for a value that is being computed, doubling
JITTER = 0.1  # of the time to live, so that values stored together do not expire together


def cached(
    key: str,
    compute: Callable[[], T],
    *,
    ttl: float,
    version: object = None,
    tags: Sequence[str] = (),
    patience: float = LOCK,
) -> T:
    """Return the value of a key, and compute it if it is missing, expired or invalidated.

    While the cache is unavailable, every call computes. In asynchronous code, call it with
    `sync_to_async`, because it may wait.

    Args:
        key: what the value is, such as "articles.count". All that it depends on and that is neither
            in `version` nor in `tags` is part of it: a language, a page number.
        compute: returns the value, which is of a type that `dovetail.cache.values` lists. None is
            kept like any other.
        ttl: how long it is valid, in seconds, 10% more or less.
        version: what the value was made from, such as a row's `updated_at`. Another one is
            another value.
        tags: what invalidates the value. See `invalidate`.
        patience: for how long others wait for the one that computes it, in seconds, before one of
            them takes its place, for which the rest wait as long; not for ever, in case that one
            is killed. A web process has few threads, so give what is quickly made less; with less
            than a second, all that have waited compute it.

    Raises:
        UnsupportedValue: the value has another type.
        ValueError: the patience is none.
    """
    return kept(key, compute, ttl=ttl, version=version, tags=tags, patience=patience).value


class Kept(NamedTuple, Generic[T]):
    """A value, and how long it is valid.

    Attributes:
        value: the value.
        until: when it expires, in seconds since the epoch; 0 if it was not stored.
        words: of its tags, in their order. It is valid for as long as `words_of` returns them.
    """

    value: T
    until: float
    words: list[Any]


def kept(
    key: str,
    compute: Callable[[], T],
    *,
    ttl: float,
    version: object = None,
    tags: Sequence[str] = (),
    patience: float = LOCK,
) -> Kept[T]:
    """Do as `cached` does, for those who remember the value themselves.

    Raises:
        UnsupportedValue: the value has another type.
        ValueError: the patience is none.
    """
    if not 0 <= patience < math.inf:
        raise ValueError(f"patience must be a number of seconds from 0 on, not {patience}.")
    if _is_invalidated_here(tags):
        return Kept(compute(), 0, [])
    return _Slot[T](key, version, tags, ttl, patience).get(compute)


def words_of(tags: Collection[str]) -> dict[str, Any]:
    """Return the words of tags, in one request to the cache, without those that have none."""
    found = _cache().get_many([_tag(tag) for tag in tags])
    return {tag: found[name] for tag in tags if (name := _tag(tag)) in found}


def invalidate(*tags: str, using: str | None = None) -> None:
    """Let all values with one of these tags expire when the current transaction commits.

    While the cache is unavailable, this has no effect, and they stay until their time is over.

    Args:
        *tags: the tags.
        using: the alias of the database that the transaction is on; the default one if None.
    """
    if tags:
        on_commit_together(_renew, map(_tag, tags), order=EXPIRE, using=using)


def invalidate_with(
    model: type[models.Model], *tags: str, fields: Collection[str] | None = None
) -> None:
    """Invalidate tags whenever a row of this model is created, changed or deleted.

    Models with `BroadcastsRefreshes` do so by themselves. For others, call it in
    `AppConfig.ready`. Raw SQL and bulk operations of other querysets than the kit's go unnoticed.

    Args:
        model: the model.
        *tags: the tags.
        fields: what the values show of rows that other rows refer to, such as the names of
            authors. Then, new rows invalidate nothing, nor does a save whose `update_fields` has
            none of these.
    """

    def on_change(
        using: str,
        update_fields: Collection[str] | None = None,
        created: bool = False,
        **_: Any,
    ) -> None:
        is_shown = fields is None or not (
            created or (update_fields is not None and set(fields).isdisjoint(update_fields))
        )
        if is_shown:
            invalidate(*tags, using=using)

    for change in (post_save, post_delete, rows_changed):
        change.connect(
            on_change, sender=model, weak=False, dispatch_uid=f"computed:{tags}:{fields}"
        )


def version_of(*tags: str) -> str:
    """Return a text that changes whenever one of these tags is invalidated.

    As a part of a key of Django's cache, it does what `tags` does for `cached`: what is stored
    under the key is not read again. See `{% version_of %}`.
    """
    if _is_invalidated_here(tags):
        return _word()
    return "".join(str(word) for word in _words([_tag(tag) for tag in tags]))


def keeps_pages() -> bool:
    """Return whether pages and their fragments are kept. In development, they are not."""
    backend = caches.settings.get("template_fragments", {}).get("BACKEND", "")
    return not backend.endswith(".DummyCache")


class _Slot(Generic[T]):
    """The place of one value in the cache."""

    def __init__(
        self, key: str, version: object, tags: Sequence[str], ttl: float, patience: float
    ) -> None:
        # Hashed, because memcached takes no spaces and no more than 250 bytes.
        name = sha256(f"{key}\0{version}".encode()).hexdigest()
        self.name, self.lock = f"computed:{name}", f"computing:{name}"
        self.tags = [_tag(tag) for tag in tags]
        self.ttl = ttl
        self.patience = patience
        self.holder = _word()

    def get(self, compute: Callable[[], T]) -> Kept[T]:
        entry, is_valid = self._read()
        if is_valid:
            return Kept(*entry)
        until = time.monotonic() + self.patience
        first, is_second, unlocked, pause = None, False, 0, POLL[0]
        while not self._take_lock():
            if entry:
                return Kept(*entry)
            holder = _cache().get(self.lock)
            if holder and first and holder != first and not is_second:
                is_second, until = True, time.monotonic() + self.patience
            first = first or holder
            # The lock goes before its value is seen here, or there is no cache.
            unlocked = 0 if holder else unlocked + 1
            if unlocked > 1 or time.monotonic() > until:
                return self._store(compute)
            time.sleep(pause)
            pause = min(2 * pause, POLL[1])
            entry, is_valid = self._read()
            if is_valid:
                return Kept(*entry)
        try:
            entry, is_valid = self._read()  # it may have been stored before the lock was taken
            return Kept(*entry) if is_valid else self._store(compute)
        finally:
            if _cache().get(self.lock) == self.holder:  # another may have taken over
                _cache().delete(self.lock)

    def _take_lock(self) -> bool:
        # In whole seconds, as memcached wants it: less than one would be none, for everyone. Not
        # for longer than others wait: one of them is to have it before the rest lose patience.
        return bool(_cache().add(self.lock, self.holder, max(1, math.floor(self.patience))))

    def _read(self) -> tuple[Any, bool]:
        """Return what is stored, or None, and whether it is valid.

        A value from before a change is not returned: a page that is told to refresh asks once.
        """
        found = _cache().get_many([self.name, *self.tags])
        entry = found.get(self.name)
        if entry is None or entry[2] != [found.get(tag) for tag in self.tags]:
            return None, False
        return entry, time.time() < entry[1]

    def _store(self, compute: Callable[[], T]) -> Kept[T]:
        words = _words(self.tags)
        with from_primary():
            value = compute()
        ttl = self.ttl * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        entry = Kept(value, time.time() + ttl, words)
        _cache().set(self.name, list(entry), ttl + STALE)
        return entry


def _cache() -> BaseCache:
    return caches[CACHE]


def _tag(tag: str) -> str:
    return f"tag:{sha256(tag.encode()).hexdigest()}"


def _words(names: list[str]) -> list[Any]:
    return [_cache().get_or_set(name, _word, WORD) for name in names]


def _word() -> str:
    return secrets.token_hex(8)


def _is_invalidated_here(tags: Sequence[str]) -> bool:
    """Return whether a transaction of this thread will invalidate one of these tags."""
    return not set(map(_tag, tags)).isdisjoint(waiting_for_commit(_renew))


def _renew(names: Sequence[str]) -> None:
    _cache().set_many({name: _word() for name in names}, WORD)
