"""Models whose changes refresh open pages, like turbo-rails' `broadcasts_refreshes`.

    class Article(BroadcastsRefreshes, SoftDeleteModel):
        refreshes = "articles"

A page follows one article with `{% turbo_stream_from article %}`, and the list of articles with
`{% turbo_stream_from "articles" %}`. It fetches itself and morphs whenever an article is saved,
deleted or restored, alone or in bulk. What it shows of `cached` values with the tag "articles" is
then computed again, whatever streams the row names: it may have left the list by this change.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.core import checks
from django.db import models
from django.db.models.signals import post_delete, post_save

from dovetail.cable.broadcasting import reauthorize
from dovetail.cable.streams import Streamable
from dovetail.cache.computed import invalidate
from dovetail.models import BaseQuerySet
from dovetail.models.signals import rows_changed
from dovetail.turbo.broadcasting import broadcast_refreshes_to


class BroadcastsRefreshes(models.Model):
    """Refreshes the pages that follow a row, or the list of rows, whenever one changes.

    Changes that bypass the kit's QuerySets, such as raw SQL, broadcast nothing.

    Attributes:
        refreshes: the stream of the list, and the tag of values computed from it; by default the
            model's label, `articles.article`.
    """

    refreshes: ClassVar[str] = ""

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        post_save.connect(_on_save, sender=cls)
        post_delete.connect(_on_hard_delete, sender=cls)
        rows_changed.connect(_on_rows_changed, sender=cls)

    @property
    def is_hidden(self) -> bool:
        """Whether followers of this row may have lost access to it.

        If so, a change rechecks each of them (`Channel.is_allowed`) before it is broadcast.
        """
        return bool(getattr(self, "is_deleted", False))

    @classmethod
    def check(cls, **kwargs: Any) -> list[checks.CheckMessage]:
        errors = super().check(**kwargs)
        if not isinstance(cls._default_manager.all(), BaseQuerySet):
            errors.append(
                checks.Error(
                    "Bulk operations on this model would not refresh its pages.",
                    hint="Add `objects = BaseManager()` of apps.core.models to the model.",
                    obj=cls,
                    id="dovetail.E001",
                )
            )
        return errors

    @classmethod
    def list_name(cls) -> str:
        """Return the stream of the list, which is the tag of values computed from it, too."""
        return cls.refreshes or cls._meta.label_lower

    def refreshed_streams(self) -> list[Streamable]:
        """Return the streams to refresh when this row has changed.

        It knows the row as it is now. Whoever leaves out the list for rows that are not on it has
        to think of those that were on it before. Cached values do not depend on it.
        """
        return [self, self.list_name()]


def broadcast_refreshes(
    model: type[BroadcastsRefreshes],
    rows: Iterable[BroadcastsRefreshes],
    *,
    are_new: bool = False,
) -> None:
    """Refresh the pages that follow these rows, on commit.

    Values with the name of the model's list as their tag, or of another refreshed list, expire
    first, so that its pages show new ones. Those of the model's list always do: the rows are known
    as they are after the change, and may have been on the list before it.

    Args:
        model: the model of the rows.
        rows: the rows.
        are_new: whether they were created just now, so that no page follows one of them yet. For
            thousands of rows, that saves a message each.
    """
    streams: list[Streamable] = []
    for row in rows:
        if row.is_hidden and not are_new:
            reauthorize(row)
        streams += [stream for stream in row.refreshed_streams() if not (are_new and stream is row)]
    invalidate(*{model.list_name(), *(stream for stream in streams if isinstance(stream, str))})
    broadcast_refreshes_to(streams)


def _on_save(
    sender: type[BroadcastsRefreshes], *, instance: BroadcastsRefreshes, raw: bool, **_: Any
) -> None:
    if not raw:  # loaddata
        broadcast_refreshes(sender, [instance])


def _on_hard_delete(
    sender: type[BroadcastsRefreshes], *, instance: BroadcastsRefreshes, **_: Any
) -> None:
    if not instance.is_hidden:
        reauthorize(instance)
    broadcast_refreshes(sender, [instance])


def _on_rows_changed(
    sender: type[BroadcastsRefreshes],
    *,
    pks: list[Any],
    using: str,
    is_created: bool,
    **_: Any,
) -> None:
    rows = sender._base_manager.using(using).filter(pk__in=pks)
    broadcast_refreshes(sender, rows, are_new=is_created)
