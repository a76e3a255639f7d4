from typing import Any

from rest_framework import serializers


class LabelledSerializer(serializers.Serializer[Any]):
    """Something with a name for people."""

    label = serializers.CharField()  # type: ignore[assignment] # the class gives fields away
