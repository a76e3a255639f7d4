"""People: as others see them, and as they see themselves."""

from allauth.account.models import EmailAddress
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import ADDRESS, ME, NEW_PROFILE, PROFILE, answered, sent
from apps.users.models import User
from dovetail.api.fields import ImageField, PageField
from dovetail.api.serializers import ModelSerializer

# What `PersonSerializer` reads of a person, and what the version of an article or a comment has of
# its author: the address, and the variants, change without `updated_at`.
SHOWN = {"id", "email", "display_name", "avatar", "avatar_variants"}
AUTHOR_VERSION = ("author__updated_at", "author__email")
AUTHOR_SHOWN = ("author__avatar_variants",)


class PersonSerializer(ModelSerializer[User]):
    """A person as others see them: without the address, which is private."""

    name = serializers.CharField(source="get_full_name", read_only=True)
    avatar = serializers.ImageField(source="list_avatar", read_only=True, allow_null=True)

    class Meta:
        model = User
        fields = ["id", "name", "avatar"]


@extend_schema_serializer(examples=[answered("A person", PROFILE)])
class ProfileSerializer(PersonSerializer):
    """What a person's page says."""

    avatar = serializers.ImageField(read_only=True, allow_null=True)
    article_count = serializers.IntegerField(
        read_only=True, help_text="How many articles they have published."
    )
    page = PageField(help_text="Their page on the site.")
    joined_at = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta(PersonSerializer.Meta):
        fields = ["id", "name", "biography", "avatar", "article_count", "page", "joined_at"]
        read_only_fields = ["biography"]


@extend_schema_serializer(examples=[sent("A profile", NEW_PROFILE), answered("You", ME)])
class MeSerializer(ModelSerializer[User]):
    """The signed-in person, as only they see themselves."""

    name = serializers.CharField(
        source="get_full_name", read_only=True, help_text="What others see."
    )
    avatar = serializers.ImageField(read_only=True, allow_null=True)
    page = PageField(help_text="Your page on the site.")
    joined_at = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = [
            *("id", "email", "name", "display_name", "biography", "avatar", "page"),
            *("joined_at", "updated_at"),
        ]
        read_only_fields = ["email"]


class AvatarSerializer(ModelSerializer[User]):
    """A picture of the signed-in person, to send."""

    avatar = ImageField(User, "avatar")

    class Meta:
        model = User
        fields = ["avatar"]


@extend_schema_serializer(examples=[answered("An address", ADDRESS)])
class EmailAddressSerializer(ModelSerializer[EmailAddress]):
    """One of your email addresses."""

    is_verified = serializers.BooleanField(source="verified", read_only=True)
    is_primary = serializers.BooleanField(source="primary", read_only=True)

    class Meta:
        model = EmailAddress
        fields = ["email", "is_verified", "is_primary"]
        read_only_fields = ["email"]
