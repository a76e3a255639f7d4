from dovetail.cable.channel import Channel, Rejected
from dovetail.cable.streams import verify


class TurboStreamsChannel(Channel):
    """What `{% turbo_stream_from … %}` subscribes to: HTML that changes the page.

    The signed name shows that a page of ours offered the stream to this person. Where that can
    change while the page is open, a subclass asks the database in `is_allowed`, and whoever takes
    the right away calls `broadcasting.reauthorize`.
    """

    stream: str

    async def subscribed(self) -> None:
        signed = self.params.get("signed_stream_name")
        stream = verify(type(self).__name__, str(signed), self.user_id)
        if stream is None:
            raise Rejected
        self.stream = stream
        # Joined before asked: a right that is taken away meanwhile cannot be overlooked.
        await self.stream_from(stream)
        if not await self.is_allowed():
            raise Rejected

    def catch_up(self) -> None:
        self.transmit('<turbo-stream action="refresh"></turbo-stream>')
