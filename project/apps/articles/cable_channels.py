from functools import partial
from typing import cast

from django.template.loader import render_to_string

from apps.articles.models import Article
from apps.users.models import User
from dovetail.cable import presence
from dovetail.cable.identity import Person
from dovetail.cable_channels import TurboStreamsChannel
from dovetail.turbo import streams


class ArticleChannel(TurboStreamsChannel):
    """Streams an article to people who may read it, and shows how many are reading it."""

    person = ""

    async def is_allowed(self) -> bool:
        return await self.ask(self._may_read)

    def _may_read(self, person: Person) -> bool:
        label, _, pk = self.stream.partition(":")
        if label != Article._meta.label_lower:
            return False
        return Article.objects.visible_to(cast("User", person)).filter(pk=pk).exists()

    async def subscribed(self) -> None:
        await super().subscribed()
        # A socket that subscribes twice, with different parameters, is still one reader.
        self.person = self.user_id or f"visitor-{self.connection.token}"
        pk = self.stream.partition(":")[2]
        presence.enter(self.stream, self.person, partial(show_readers, pk))

    async def unsubscribed(self) -> None:
        if self.person:
            presence.leave(self.stream, self.person)


def show_readers(pk: str, count: int) -> str:
    """Return the stream that updates the number of readers on the page of an article."""
    text = render_to_string("articles/_readers.html", {"count": count})
    return streams.update(f"readers_article_{pk}", text)
