"""The base of the viewsets of an API."""

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar, cast

from django.db import models
from django_filters import MultipleChoiceFilter
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet as DRFGenericViewSet

from dovetail.api import deprecation
from dovetail.api.filters import FilterBackend, OrderingFilter, refuse_unknown
from dovetail.api.idempotency import refuse_unused_key
from dovetail.api.pagination import CursorPagination
from dovetail.api.scopes import ScopePermission
from dovetail.api.serializers import ModelSerializer, chosen, columns_of
from dovetail.api.throttles import ThrottledMixin

ModelT = TypeVar("ModelT", bound=models.Model)


class GenericViewSet(ThrottledMixin, DRFGenericViewSet[ModelT]):
    """A viewset that refuses parameters that mean nothing, and names rows by UUID.

    Attributes:
        scope: the group of resources that a token must be for (dovetail.api.scopes).
        ordering_fields: what a list can be ordered by; none of them is ever null.
    """

    scope: ClassVar[str]
    filter_backends = (FilterBackend, OrderingFilter)
    lookup_value_converter = "uuid"
    ordering_fields: ClassVar[tuple[str, ...]] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action is None:
            return  # 405, whatever the parameters are
        if request.query_params:
            refuse_unknown(request, self.known_parameters(), self.repeatable_parameters())
        refuse_unused_key(request, self._method)
        if "fields" in request.query_params:
            # A list without rows does not look at it.
            kind = cast("type[ModelSerializer[Any]]", self.get_serializer_class())
            chosen(request, "fields", [column.name for column in columns_of(kind)])

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        deprecation.announce(self, self._method, final)
        return final

    @property
    def _method(self) -> object:
        """The method that answers the request, None if none does."""
        return getattr(self, self.action or "", None)

    def check_permissions(self, request: Request) -> None:
        # Here too, so that a viewset with its own `permission_classes` cannot leave it out.
        ScopePermission().has_permission(request, self)
        super().check_permissions(request)

    @property
    def is_list(self) -> bool:
        """Whether this action returns rows, and not one of them or what happened to it."""
        return self.request.method in SAFE_METHODS and not self.detail

    def repeatable_parameters(self) -> set[str]:
        """Return the parameters that may come several times."""
        filters = getattr(self, "filterset_class", None)
        known = filters.base_filters.items() if filters else ()
        return {name for name, one in known if isinstance(one, MultipleChoiceFilter)}

    def known_parameters(self) -> Iterator[str]:
        """Yield the parameters that the query string of this action may have."""
        serializer = self.get_serializer_class()
        if self.request.method in SAFE_METHODS and issubclass(serializer, ModelSerializer):
            yield "fields"
            if serializer.expandable():
                yield "expand"
        if not self.is_list:
            return
        if self.ordering_fields:
            yield OrderingFilter.ordering_param
        if isinstance(self.paginator, CursorPagination):
            yield self.paginator.cursor_query_param
            yield self.paginator.page_size_query_param
        if filters := getattr(self, "filterset_class", None):
            yield from filters.base_filters
