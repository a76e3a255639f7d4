"""Notifications, each kind with what it is about.

A new kind gets its serializer and a line in `SERIALIZERS`; a test fails until it has.
"""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.comments import CommentSerializer
from apps.api.serializers.people import PersonSerializer
from apps.articles.models import Article, CommentNotification
from apps.users.models import Notification
from dovetail.api.fields import PageField
from dovetail.api.serializers import ModelSerializer


def kind_of(model: type[Notification]) -> serializers.CharField:
    """Return the field that tells this kind from the others, for the schema too."""

    @extend_schema_field({"type": "string", "const": model._meta.label_lower})
    class KindField(serializers.CharField):
        pass

    return KindField(read_only=True)


class NotificationSerializer(ModelSerializer[Notification]):
    """Something that has happened."""

    kind = kind_of(Notification)
    text = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = Notification
        fields = ["id", "kind", "text", "read_at", "created_at"]


class NotifiedArticleSerializer(ModelSerializer[Article]):
    """The article that a notification is about."""

    page = PageField()

    class Meta:
        model = Article
        fields = ["id", "title", "page"]
        read_only_fields = ["title"]


class NotifiedCommentSerializer(CommentSerializer):
    """The comment that a notification is about, with its author and article."""

    author = PersonSerializer(read_only=True)
    article = NotifiedArticleSerializer(read_only=True)

    class Meta(CommentSerializer.Meta):
        expandable: dict[str, Any] = {}


class CommentNotificationSerializer(NotificationSerializer):
    """Someone has commented on your article."""

    kind = kind_of(CommentNotification)
    comment = NotifiedCommentSerializer(read_only=True)

    class Meta(NotificationSerializer.Meta):
        model = CommentNotification
        fields = [*NotificationSerializer.Meta.fields, "comment"]


SERIALIZERS: dict[type[Notification], type[NotificationSerializer]] = {
    CommentNotification: CommentNotificationSerializer,
}


class AnyNotificationSerializer(serializers.BaseSerializer[Notification]):
    """Shows each notification by the serializer of its kind, all of which are made once."""

    @cached_property
    def _serializers(self) -> dict[type[Notification], NotificationSerializer]:
        return {kind: made(context=self.context) for kind, made in SERIALIZERS.items()}

    @cached_property
    def _common(self) -> NotificationSerializer:
        return NotificationSerializer(context=self.context)

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        serializer = self._serializers.get(type(instance), self._common)
        row: dict[str, Any] = serializer.to_representation(instance)
        return row
