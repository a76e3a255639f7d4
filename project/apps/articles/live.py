"""Articles change before everybody's eyes."""

from typing import Any

from apps.core.cable.broadcasting import reauthorize
from apps.core.models import SoftDeleteModel
from apps.core.turbo.broadcasting import broadcast_refresh_to

LIST = "articles"  # the stream of the public list


class LiveArticle(SoftDeleteModel):
    """Tells the pages that show the article, and the list, whenever it changes."""

    class Meta:
        abstract = True

    @property
    def is_published(self) -> bool:
        raise NotImplementedError

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self.broadcast_change()

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        result = super().delete(using, keep_parents)
        self.broadcast_change()
        return result

    def restore(self) -> int:
        restored = super().restore()
        self.broadcast_change()
        return restored

    def broadcast_change(self) -> None:
        if self.is_deleted or not self.is_published:
            reauthorize(self)  # who reads it now may have to stop
        broadcast_refresh_to(self)
        if self.is_published:  # a draft is in no list but its author's
            broadcast_refresh_to(LIST)
