from django.db.models import QuerySet
from rest_framework.permissions import AllowAny

from apps.api.serializers.people import ProfileSerializer
from apps.articles.models import Article
from apps.users.models import User
from dovetail.api.etags import VersionedMixin
from dovetail.api.viewsets import GenericViewSet


class PersonViewSet(VersionedMixin, GenericViewSet[User]):
    """A person, as their page shows them to everyone."""

    scope = "articles"
    queryset = User.objects.none()
    permission_classes = (AllowAny,)
    serializer_class = ProfileSerializer
    # The name may be a part of the address, which changes without `updated_at`.
    version_fields = ("updated_at", "email", "avatar", "article_count")

    def get_queryset(self) -> QuerySet[User]:
        people = User.objects.get_queryset().visible_to(self.request.user).with_profile()
        return people.annotate(article_count=Article.objects.published().count_for_each_author())
