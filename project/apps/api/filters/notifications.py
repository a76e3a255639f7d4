from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from apps.users.models import Notification, NotificationQuerySet


class NotificationFilter(filters.FilterSet):  # type: ignore[misc]
    # No BooleanFilter, which ignores what is neither.
    unread = filters.ChoiceFilter(
        choices=[("true", "Only unread ones"), ("false", "Only read ones")], method="by_reading"
    )

    class Meta:
        model = Notification
        fields: list[str] = []

    @extend_schema_field(OpenApiTypes.BOOL)
    def by_reading(self, rows: NotificationQuerySet, name: str, value: str) -> NotificationQuerySet:
        del name
        return rows.unread() if value == "true" else rows.read()
