"""What a person may do with the data exports of their account, on its page and by the API.

Both ask for a recent proof first.
"""

from datetime import timedelta

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from apps.users.models import DataExport, User
from apps.users.security_log import Kind, record
from apps.users.tasks import collect_data
from dovetail.tasks import outbox

INTERVAL = timedelta(hours=1)  # between two exports of a person


class TooSoonError(Exception):
    """A person has requested their data less than `INTERVAL` ago.

    Attributes:
        wait: until they may request it again.
    """

    def __init__(self, wait: timedelta) -> None:
        super().__init__("You already requested your data within the last hour.")
        self.wait = wait


def request(user: User) -> DataExport:
    """Have a person's data collected. They get an email when that is done.

    Raises:
        TooSoonError: they have requested it within the last hour.
    """
    with transaction.atomic():
        # Locks the user's row, so that two requests at once create one export.
        User.objects.select_for_update().get(pk=user.pk)
        now = timezone.now()
        recent = DataExport.objects.filter(user=user, created_at__gt=now - INTERVAL)
        if latest := recent.values_list("created_at", flat=True).first():
            raise TooSoonError(latest + INTERVAL - now)
        export = DataExport.objects.create(user=user)
        record(Kind.DATA_REQUESTED, user)
        outbox.delay(collect_data, str(export.pk))
    return export


def download(export: DataExport, user: User) -> HttpResponse:
    """Return the content of an export, which is available, and record that its owner gets it."""
    record(Kind.DATA_DOWNLOADED, user)
    response = JsonResponse(export.content, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = 'attachment; filename="my-data.json"'
    add_never_cache_headers(response)
    return response
