from dovetail.cable.channel import Channel


class TelemetryScoreChannel(Channel):
    async def subscribed(self) -> None:
        await self.stream_from("scores")
