from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import EXPORT, answered
from apps.users.models import DataExport
from dovetail.api.serializers import ModelSerializer


@extend_schema_serializer(examples=[answered("An export", EXPORT)])
class DataExportSerializer(ModelSerializer[DataExport]):
    """A copy of everything that is stored about you."""

    is_ready = serializers.BooleanField(
        read_only=True, help_text="Whether the data has been collected and can be downloaded."
    )
    expires_at = serializers.DateTimeField(
        read_only=True, help_text="When it can no longer be downloaded."
    )

    class Meta:
        model = DataExport
        fields = ["id", "is_ready", "created_at", "expires_at"]
