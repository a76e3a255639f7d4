from django_filters import rest_framework as filters

from apps.articles.models import Article, Category, Status
from dovetail.api.filters import TimeFilter


class ArticleFilter(filters.FilterSet):  # type: ignore[misc]
    category = filters.MultipleChoiceFilter(choices=Category.choices)
    status = filters.ChoiceFilter(choices=Status.choices)
    author = filters.UUIDFilter(field_name="author_id", label="The id of the author.")
    published_after = TimeFilter(
        field_name="published_at", lookup_expr="gte", label="Published then or later."
    )
    published_before = TimeFilter(
        field_name="published_at", lookup_expr="lt", label="Published earlier."
    )

    class Meta:
        model = Article
        fields: list[str] = []
