from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.categories import CategorySerializer
from apps.articles.models import Article, Category
from dovetail.api.pagination import SinglePagePagination
from dovetail.api.viewsets import GenericViewSet


class CategoryViewSet(GenericViewSet[Any]):
    """The categories of articles."""

    scope = "articles"
    permission_classes = (AllowAny,)
    serializer_class = CategorySerializer
    pagination_class = SinglePagePagination
    filter_backends: Any = ()

    def list(self, request: Request) -> Response:
        """List the categories of articles. Those without articles are there, too."""
        del request
        counts = dict(
            Article.objects.published().facets("category", limit=len(Category))["category"]
        )
        rows = [
            {"value": value, "label": label, "article_count": counts.get(value, 0)}
            for value, label in Category.choices
        ]
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
