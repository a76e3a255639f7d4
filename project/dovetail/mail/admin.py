from django.contrib import admin
from django.http import HttpRequest

from dovetail.mail.models import Suppression
from dovetail.models.kit_admin import KitAdmin


@admin.register(Suppression)
class SuppressionAdmin(KitAdmin[Suppression]):
    """Shows where no mail goes. Deleting a row lets it go there again."""

    list_display = ("address", "reason", "occurred_at", "detail")
    list_filter = ("reason",)
    search_fields = ("address",)
    readonly_fields = ("address", "reason", "occurred_at", "detail", "created_at", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        del request, obj
        return False
