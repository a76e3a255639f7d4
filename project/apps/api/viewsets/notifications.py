from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.api.examples import NOTIFICATION, answered
from apps.api.filters.notifications import NotificationFilter
from apps.api.serializers.notifications import (
    SERIALIZERS,
    AnyNotificationSerializer,
    NotificationSerializer,
)
from apps.api.viewsets.me import PrivateMixin
from apps.users.models import Notification, NotificationQuerySet
from apps.users.models.notification import with_details
from dovetail.api.viewsets import GenericViewSet

KINDS: dict[str, Any] = {Notification._meta.label_lower: NotificationSerializer}
KINDS |= {model._meta.label_lower: serializer for model, serializer in SERIALIZERS.items()}


class NotificationViewSet(PrivateMixin, ListModelMixin, GenericViewSet[Notification]):
    """What has happened that concerns you, newest first."""

    scope = "account"
    queryset = Notification.objects.none()
    permission_classes = (IsAuthenticated,)
    serializer_class: Any = AnyNotificationSerializer
    filterset_class: Any = NotificationFilter

    def get_queryset(self) -> NotificationQuerySet:
        return Notification.objects.for_person(self.request.user)

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        return with_details(super().paginate_queryset(queryset) or [])

    @extend_schema(
        responses=PolymorphicProxySerializer("AnyNotification", KINDS, "kind"),
        examples=[answered("A comment", NOTIFICATION)],
    )
    def list(self, request: Request) -> Response:
        """List your notifications. The newest come first."""
        return super().list(request)

    @extend_schema(request=None, responses={HTTPStatus.NO_CONTENT: None})
    @action(detail=False, methods=["post"], filterset_class=None, serializer_class=Serializer)
    def reading(self, request: Request) -> Response:
        """Mark all notifications as read."""
        del request
        self.get_queryset().mark_read()
        return Response(status=HTTPStatus.NO_CONTENT)
