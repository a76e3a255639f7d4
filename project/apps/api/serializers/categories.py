from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import CATEGORY, answered
from apps.api.serializers.labelled import LabelledSerializer
from apps.articles.models import Category


@extend_schema_serializer(examples=[answered("A category", CATEGORY)])
class CategorySerializer(LabelledSerializer):
    """A category of articles."""

    value = serializers.ChoiceField(choices=Category.choices)
    article_count = serializers.IntegerField(help_text="How many of its articles are published.")
