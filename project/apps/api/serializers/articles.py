from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import ARTICLE, NEW_ARTICLE, SUMMARY, answered, sent
from apps.api.serializers.people import PersonSerializer
from apps.articles.models import Article
from dovetail.api.fields import ImageField, ImageVariantsField, PageField
from dovetail.api.serializers import ModelSerializer


@extend_schema_serializer(examples=[answered("An article", SUMMARY)])
class ArticleSummarySerializer(ModelSerializer[Article]):
    """An article as in a list, without its text."""

    page = PageField(help_text="Where people read it on the site.")
    cover = serializers.ImageField(
        read_only=True, allow_null=True, help_text="The address of its picture."
    )
    cover_variants = ImageVariantsField(
        "cover", help_text="Its picture in smaller sizes. They follow seconds after the picture."
    )
    comment_count = serializers.IntegerField(
        read_only=True, help_text="How many comments there are on it."
    )

    class Meta:
        model = Article
        fields = [
            *("id", "title", "slug", "summary", "category", "status", "cover"),
            *("cover_variants", "author", "comment_count", "page"),
            *("published_at", "created_at", "updated_at"),
        ]
        read_only_fields = ["slug", "status", "author", "published_at"]
        extra_kwargs = {
            "slug": {"help_text": "Its part of the page's address, made from the first title."},
            "status": {"help_text": "Changed by `PUT` and `DELETE` of its `publication/`."},
            "published_at": {"help_text": "When it was first published."},
        }
        expandable = {"author": PersonSerializer}


@extend_schema_serializer(
    examples=[sent("An article", NEW_ARTICLE), answered("An article", ARTICLE)]
)
class ArticleSerializer(ArticleSummarySerializer):
    """An article with its text."""

    class Meta(ArticleSummarySerializer.Meta):
        fields = [*ArticleSummarySerializer.Meta.fields, "body"]


class CoverSerializer(ModelSerializer[Article]):
    """The picture of an article, to send."""

    cover = ImageField(Article, "cover")

    class Meta:
        model = Article
        fields = ["cover"]
