from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import COMMENT, answered, sent
from apps.api.serializers.people import PersonSerializer
from apps.articles.models import Comment
from dovetail.api.fields import PageField
from dovetail.api.serializers import ModelSerializer


@extend_schema_serializer(
    examples=[sent("A comment", {"body": "Well cut."}), answered("A comment", COMMENT)]
)
class CommentSerializer(ModelSerializer[Comment]):
    """A comment on an article."""

    page = PageField(help_text="Where people read it on the site.")
    is_removed = serializers.BooleanField(
        source="is_deleted",
        read_only=True,
        help_text="Whether a moderator removed it. Its `body` is then empty, and only its author "
        "is told of it.",
    )

    class Meta:
        model = Comment
        fields = [
            *("id", "article", "author", "body", "is_removed", "page", "created_at", "updated_at"),
        ]
        read_only_fields = ["article", "author"]
        expandable = {"author": PersonSerializer}

    def to_representation(self, instance: Comment) -> dict[str, Any]:
        row: dict[str, Any] = super().to_representation(instance)
        if instance.is_deleted and "body" in row:
            row["body"] = ""  # as on the page
        return row
