"""Pictures of articles and people, which are sent alone, since they are not JSON.

Their requests may have larger bodies than others.
"""

from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from apps.api.examples import ARTICLE, answered
from apps.api.permissions import ArticlePermission, person_of
from apps.api.serializers.articles import ArticleSerializer, CoverSerializer
from apps.api.serializers.people import AvatarSerializer, MeSerializer
from apps.api.viewsets.articles import ALSO_SHOWN, UNDELETED, VERSION
from apps.api.viewsets.me import OwnMixin
from apps.articles.models import Article
from apps.users.models import User
from dovetail.api.etags import VersionedMixin
from dovetail.api.viewsets import GenericViewSet
from dovetail.api.waits import Busy
from dovetail.http.bodies import takes_files
from dovetail.media.fields import UNAVAILABLE


class ImageMixin(VersionedMixin):
    """Replaces or removes the picture of a row, and answers with the row.

    Attributes:
        image: the name of its field.
        upload_serializer: reads what is sent.
    """

    parser_classes = (MultiPartParser,)
    versioned_changes = frozenset({"replace", "remove"})
    image: ClassVar[str]
    upload_serializer: ClassVar[type[BaseSerializer[Any]]]

    def replace(self, request: Request, pk: UUID) -> Response:
        # Before a picture is decoded, and again when the row is locked, which it is not meanwhile.
        self.check_version(self.get_object())
        upload = self.upload_serializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        return self._save(pk, upload.validated_data[self.image])

    def remove(self, request: Request, pk: UUID) -> Response:
        del request
        return self._save(pk, "")

    @transaction.atomic
    def _save(self, pk: UUID, image: Any) -> Response:
        row: models.Model = self.get_locked_object(pk)
        setattr(row, self.image, image)
        try:
            row.save()
        except OSError as error:  # of the storage
            raise Busy(UNAVAILABLE) from error
        return Response(self.get_serializer(row).data, headers={"ETag": self.etag_of(row)})


@method_decorator(takes_files, name="dispatch")
class CoverViewSet(ImageMixin, GenericViewSet[Article]):
    """The picture of an article."""

    scope = "articles"
    queryset = Article.objects.none()
    permission_classes = (ArticlePermission,)
    serializer_class = ArticleSerializer
    version_fields = VERSION
    shown_fields = ALSO_SHOWN
    image = "cover"
    upload_serializer = CoverSerializer

    def get_queryset(self) -> QuerySet[Article]:
        return UNDELETED.whole.all().visible_to(self.request.user)

    @extend_schema(
        request={"multipart/form-data": CoverSerializer},
        examples=[answered("An article", ARTICLE | {"cover_variants": []})],
    )
    def replace(self, request: Request, pk: UUID) -> Response:
        """Replace the cover of an article. It is encoded again, without its metadata."""
        return super().replace(request, pk)

    @extend_schema(
        responses={HTTPStatus.OK: ArticleSerializer},
        examples=[answered("An article", ARTICLE | {"cover": None, "cover_variants": []})],
    )
    def remove(self, request: Request, pk: UUID) -> Response:
        """Remove the cover of an article."""
        return super().remove(request, pk)


@method_decorator(takes_files, name="dispatch")
class AvatarViewSet(OwnMixin, ImageMixin, GenericViewSet[User]):
    """Your own picture."""

    scope = "account"
    permission_classes = (IsAuthenticated,)
    serializer_class = MeSerializer
    image = "avatar"
    upload_serializer = AvatarSerializer

    @extend_schema(request={"multipart/form-data": AvatarSerializer})
    def replace(self, request: Request) -> Response:  # type: ignore[override] # the row is theirs
        """Replace your picture. It is cropped to a centered square."""
        return super().replace(request, person_of(request).pk)

    @extend_schema(responses={HTTPStatus.OK: MeSerializer})
    def remove(self, request: Request) -> Response:  # type: ignore[override]
        """Remove your picture."""
        return super().remove(request, person_of(request).pk)
