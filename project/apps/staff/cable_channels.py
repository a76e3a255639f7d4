from typing import cast

from apps.staff.views import VIEW, may
from apps.users.models import User
from dovetail.cable.identity import Person
from dovetail.cable_channels import TurboStreamsChannel


class JobsChannel(TurboStreamsChannel):
    """Refreshes the page of background work for those who may open it."""

    async def is_allowed(self) -> bool:
        return await self.ask(self._may_view)

    def _may_view(self, person: Person) -> bool:
        return person.is_authenticated and may(cast("User", person), VIEW)
