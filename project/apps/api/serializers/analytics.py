from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import FIGURES, answered
from apps.api.serializers.labelled import LabelledSerializer
from apps.articles.models import Category


class CategoryFigureSerializer(LabelledSerializer):
    """How many articles a category has."""

    category = serializers.ChoiceField(source="value", choices=Category.choices)
    count = serializers.IntegerField()


class AuthorFigureSerializer(serializers.Serializer[Any]):
    """How many articles an author has published."""

    author = serializers.UUIDField(source="value")
    name = serializers.CharField(source="label")
    count = serializers.IntegerField()


class WeekFigureSerializer(serializers.Serializer[Any]):
    """How many articles were published in a week."""

    week = serializers.DateField(source="value", help_text="The Monday on which it begins.")
    count = serializers.IntegerField()


@extend_schema_serializer(examples=[answered("Figures", FIGURES)])
class ArticleAnalyticsSerializer(serializers.Serializer[Any]):
    """Figures about the published articles."""

    article_count = serializers.IntegerField(source="count")
    author_count = serializers.IntegerField()
    categories = CategoryFigureSerializer(many=True, help_text="Most articles first.")
    authors = AuthorFigureSerializer(many=True, help_text="Those with the most articles.")
    weeks = WeekFigureSerializer(
        many=True, help_text="Published in each of the last weeks, oldest first."
    )
