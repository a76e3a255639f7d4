"""A channel with every feature, for the real client to use."""

from typing import Any

from dovetail.cable.broadcasting import abroadcast
from dovetail.cable.channel import Channel, Rejected, action


class RoomChannel(Channel):
    async def subscribed(self) -> None:
        if self.params.get("room") == "closed":
            raise Rejected
        await self.stream_from(f"room:{self.params.get('room')}")

    @action
    async def receive(self, data: dict[str, Any]) -> None:
        self.transmit({"received": data})

    @action
    async def speak(self, data: dict[str, Any]) -> None:
        await abroadcast(f"room:{self.params.get('room')}", message={"said": data["text"]})

    @action
    async def who(self, _data: dict[str, Any]) -> None:
        self.transmit({"user": self.user_id})
