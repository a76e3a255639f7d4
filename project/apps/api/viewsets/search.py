from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.search import (
    FoundArticleSerializer,
    SearchParametersSerializer,
    SearchResultsSerializer,
)
from apps.articles.search import ArticleSearch
from dovetail.api.faults import in_parameters
from dovetail.api.pagination import NumberPagination
from dovetail.api.viewsets import GenericViewSet

PAGES = [
    OpenApiParameter(
        NumberPagination.page_query_param,
        {"type": "integer", "minimum": 1, "maximum": NumberPagination.max_rows, "default": 1},
        description=f"From 1, and not beyond the result with number {NumberPagination.max_rows}.",
    ),
    OpenApiParameter(
        NumberPagination.page_size_query_param,
        {
            "type": "integer",
            "minimum": 1,
            "maximum": NumberPagination.max_page_size,
            "default": NumberPagination.page_size,
        },
        description="How many to answer with at most.",
    ),
]


class ArticleSearchViewSet(GenericViewSet[Any]):
    """Searches the published articles."""

    scope = "articles"
    permission_classes = (AllowAny,)
    serializer_class = FoundArticleSerializer
    pagination_class = NumberPagination
    throttle_scope = "search"
    filter_backends: Any = ()

    def known_parameters(self) -> Iterator[str]:
        yield from super().known_parameters()
        yield from SearchParametersSerializer().get_fields()
        yield from (parameter.name for parameter in PAGES)

    @extend_schema(
        parameters=[SearchParametersSerializer, *PAGES], responses=SearchResultsSerializer
    )
    def retrieve(self, request: Request) -> Response:
        """Search articles. The facets count what each category and each author would leave."""
        search = _search(request)
        page = self.paginate_queryset(search.results()) or []
        answer = self.get_paginated_response(self.get_serializer(page, many=True).data)
        counts = search.counts()
        answer.data["facets"] = {
            name: [asdict(count) for count in values] for name, values in counts.items()
        }
        answer.data["suggestion"] = "" if answer.data["count"] else search.suggestion
        return answer


def _search(request: Request) -> ArticleSearch:
    """Return the search that a query string describes.

    Raises:
        BadInput: what is wrong in which parameter.
    """
    parameters = SearchParametersSerializer(data=request.query_params.dict())
    try:
        parameters.is_valid(raise_exception=True)
    except ValidationError as error:
        raise in_parameters(error) from error
    given = parameters.validated_data
    return ArticleSearch(
        given.get("q", ""),
        category=given.get("category", ""),
        author=given.get("author"),
        is_newest_first=given.get("ordering") == "newest",
    )
