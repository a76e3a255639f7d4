from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import SEARCH, answered
from apps.api.serializers.articles import ArticleSummarySerializer
from apps.api.serializers.labelled import LabelledSerializer
from apps.api.serializers.people import PersonSerializer
from apps.articles.forms import MAX_WORDS
from apps.articles.models import Article, Category

ORDERINGS = [("relevance", "Best match first"), ("newest", "Newest first")]


class SearchParametersSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(
        max_length=MAX_WORDS,
        required=False,
        allow_blank=True,
        help_text='Words in web search syntax: `word`, `"exact phrase"`, `-not`, `this OR that`. '
        "Without them, all published articles are found, newest first.",
    )
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    author = serializers.UUIDField(required=False, help_text="The id of the author.")
    ordering = serializers.ChoiceField(choices=ORDERINGS, required=False)


class SnippetPartSerializer(serializers.Serializer[Any]):
    """A part of an excerpt, which is one of the words or not."""

    text = serializers.CharField(help_text="Plain text.")
    is_hit = serializers.BooleanField()


class FoundArticleSerializer(ArticleSummarySerializer):
    """A found article, with its author, and where its text matches."""

    author = PersonSerializer(read_only=True)
    snippet = serializers.SerializerMethodField(
        help_text="An excerpt of the text in parts, which joined are plain text. Empty if the "
        "search has no words."
    )

    class Meta(ArticleSummarySerializer.Meta):
        fields = [
            *(name for name in ArticleSummarySerializer.Meta.fields if name != "comment_count"),
            "snippet",
        ]
        expandable: dict[str, Any] = {}

    @extend_schema_field(SnippetPartSerializer(many=True))
    def get_snippet(self, article: Article) -> list[dict[str, Any]]:
        snippet = getattr(article, "snippet", None)
        return [part._asdict() for part in snippet.parts] if snippet else []


class CategoryCountSerializer(LabelledSerializer):
    """How many articles of a category were found."""

    value = serializers.ChoiceField(choices=Category.choices)
    count = serializers.IntegerField()
    is_chosen = serializers.BooleanField()


class AuthorCountSerializer(LabelledSerializer):
    """How many articles of an author were found."""

    value = serializers.UUIDField()
    count = serializers.IntegerField()
    is_chosen = serializers.BooleanField()


class FacetsSerializer(serializers.Serializer[Any]):
    """For each filter, what matches the words and the other filters."""

    category = CategoryCountSerializer(many=True)
    author = AuthorCountSerializer(many=True, help_text="The authors of the most articles.")


@extend_schema_serializer(examples=[answered("What was found", SEARCH)])
class SearchResultsSerializer(serializers.Serializer[Any]):
    """A page of what was found, and how to narrow the search."""

    count = serializers.IntegerField(help_text="How many articles were found.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    suggestion = serializers.CharField(
        help_text="Other words that find something, if these find nothing; else empty."
    )
    facets = FacetsSerializer()
    results = FoundArticleSerializer(many=True)
