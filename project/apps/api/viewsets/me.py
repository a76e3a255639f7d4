"""What belongs to the signed-in person."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.permissions import HasRecentProof, person_of
from apps.api.serializers.exports import DataExportSerializer
from apps.api.serializers.people import EmailAddressSerializer, MeSerializer
from apps.users import exports
from apps.users.models import DataExport, User
from dovetail.api.etags import VersionedMixin
from dovetail.api.idempotency import idempotent
from dovetail.api.pagination import SinglePagePagination
from dovetail.api.viewsets import GenericViewSet
from dovetail.api.waits import TooMany

if TYPE_CHECKING:
    _Base = GenericViewSet[Any]
else:
    _Base = object


class PrivateMixin(_Base):
    """Has no cache store what a viewset answers, as with the pages that are someone's own."""

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(final)
        return final


class OwnMixin(PrivateMixin, VersionedMixin):
    """Limits a viewset to the row of the person who asks, which its address does not name."""

    queryset = User.objects.none()
    version_fields = ("updated_at", "email", "avatar")  # the address changes without `updated_at`

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.filter(pk=person_of(self.request).pk)

    def get_object(self) -> User:
        return get_object_or_404(self.get_queryset())


class MeViewSet(OwnMixin, GenericViewSet[User]):
    """You, with what only you see of yourself."""

    scope = "account"
    permission_classes = (IsAuthenticated,)
    serializer_class = MeSerializer

    def retrieve(self, request: Request) -> Response:  # type: ignore[override] # the row is theirs
        """Get your profile."""
        return super().retrieve(request, person_of(request).pk)

    @transaction.atomic
    def partial_update(self, request: Request) -> Response:
        """Change your profile."""
        person = self.get_locked_object(person_of(request).pk)
        serializer = self.get_serializer(person, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        person = serializer.save()
        return Response(serializer.data, headers={"ETag": self.etag_of(person)})


class EmailAddressViewSet(PrivateMixin, ListModelMixin, GenericViewSet[EmailAddress]):
    """Your email addresses, which are changed on the site, after a proof of who you are."""

    scope = "account"
    queryset = EmailAddress.objects.none()
    permission_classes = (IsAuthenticated,)
    serializer_class = EmailAddressSerializer
    pagination_class = SinglePagePagination

    def get_queryset(self) -> QuerySet[EmailAddress]:
        addresses: QuerySet[EmailAddress] = EmailAddress.objects.order_by("email")
        return addresses.filter(user=person_of(self.request))


class DataExportViewSet(
    PrivateMixin, ListModelMixin, RetrieveModelMixin, GenericViewSet[DataExport]
):
    """Copies of everything that is stored about you."""

    scope = "account"
    queryset = DataExport.objects.none()
    permission_classes = (IsAuthenticated,)
    serializer_class = DataExportSerializer

    def get_permissions(self) -> Any:
        is_sensitive = self.action in {"create", "content"}
        return [HasRecentProof()] if is_sensitive else super().get_permissions()

    def get_queryset(self) -> QuerySet[DataExport]:
        return DataExport.objects.filter(user=person_of(self.request)).for_list()

    @extend_schema(request=None, responses={HTTPStatus.CREATED: DataExportSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Request a data export. You get an email when it is ready, which takes a while.

        Only a session in which you have just proved who you are may do this, and no token.
        """
        try:
            export: Any = exports.request(person_of(request))
        except exports.TooSoonError as error:
            raise TooMany(str(error), error.wait) from error
        export.is_ready = False
        url = request.build_absolute_uri(reverse("api:export-detail", args=[export.pk]))
        row = self.get_serializer(export).data
        return Response(row, HTTPStatus.CREATED, headers={"Location": url})

    @extend_schema(responses={(HTTPStatus.OK, "application/json"): OpenApiTypes.OBJECT})
    @action(detail=True)
    def content(self, request: Request, pk: UUID) -> HttpResponse:
        """Download a data export that is ready.

        Only a session in which you have just proved who you are may do this, and no token.
        """
        person = person_of(request)
        export = get_object_or_404(DataExport.objects.available(), pk=pk, user=person)
        return exports.download(export, person)
