from dovetail.cable.channel import Channel, Rejected
from dovetail.cable.database import in_thread
from dovetail.cable.streams import verify
from dovetail.turbo.recency import may_have_missed


class TurboStreamsChannel(Channel):
    """The channel behind `{% turbo_stream_from … %}`, which delivers HTML that changes the page.

    The signed name proves that a page offered this stream to this user. If their access can change
    while the page is open, check it in a subclass's `is_allowed`, and call
    `broadcasting.reauthorize` when you take it away.
    """

    stream: str

    async def subscribed(self) -> None:
        signed = self.params.get("signed_stream_name")
        stream = verify(type(self).__name__, str(signed), self.user_id)
        if stream is None:
            raise Rejected
        self.stream = stream
        # Join before checking, so that a revocation in between is not missed.
        await self.stream_from(stream)
        if not await self.is_allowed():
            raise Rejected
        rendered_at = self.params.get("rendered_at")
        if rendered_at and await in_thread(may_have_missed, stream, rendered_at):
            self.is_behind = True

    def catch_up(self) -> None:
        self.transmit('<turbo-stream action="refresh"></turbo-stream>')
