from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models

from apps.core.models import BaseModel


class MappedRights(BaseModel):
    """What an identity provider's groups have given a person, apart from what was given by hand.

    `apps.users.sso.rights` grants and revokes them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mapped_rights"
    )
    provider = models.CharField(max_length=200, help_text="Its `id` in OIDC_PROVIDERS.")
    is_staff = models.BooleanField(default=False)
    groups = models.ManyToManyField(Group, blank=True)
    confirmed_at = models.DateTimeField(help_text="When the provider last named the groups.")

    class Meta:
        verbose_name_plural = "mapped rights"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "provider"], name="mapped_rights_are_unique_per_provider"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} by {self.provider}"
