from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.analytics import ArticleAnalyticsSerializer
from apps.articles.dashboard import Dashboard
from dovetail.api.viewsets import GenericViewSet


class ArticleAnalyticsViewSet(GenericViewSet[Any]):
    """Figures about the published articles."""

    scope = "articles"
    permission_classes = (AllowAny,)
    serializer_class = ArticleAnalyticsSerializer
    pagination_class = None
    filter_backends: Any = ()

    def retrieve(self, request: Request) -> Response:
        """Get figures about the published articles. A page of the site shows the same."""
        del request
        return Response(self.get_serializer(Dashboard()).data)
