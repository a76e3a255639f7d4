from typing import ClassVar

from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import (
    GroupAdmin as DjangoGroupAdmin,
    UserAdmin as DjangoUserAdmin,
)
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.users import devices
from apps.users.models import SecurityEvent, User
from apps.users.signals import end_all_sessions
from dovetail.models.admin import VersionedAdmin
from dovetail.models.kit_admin import KitAdmin
from dovetail.search.admin import SearchAdmin

# Providers are configured only in the environment, and no tokens are stored.
admin.site.unregister([SocialApp, SocialToken])
admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(KitAdmin[Group], DjangoGroupAdmin):
    pass


@admin.register(User)
class UserAdmin(SearchAdmin[User], VersionedAdmin[User], DjangoUserAdmin[User]):
    ordering: ClassVar = ["-created_at"]
    list_display = ["email", "display_name", "is_staff", "is_active", "created_at"]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    actions = ["end_sessions"]
    search_fields = ["email", "display_name"]
    readonly_fields = ["last_login", "created_at", "updated_at", "deleted_at"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Profile", {"fields": ["display_name", "biography", "avatar"]}),
        (
            "Permissions",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        ("Dates", {"fields": ["last_login", "created_at", "updated_at", "deleted_at"]}),
    ]
    add_fieldsets = [
        (
            None,
            {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]},
        )
    ]

    @admin.action(description="Sign out selected users on all devices", permissions=["change"])
    def end_sessions(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            end_all_sessions(user)
        self.message_user(request, "The selected users have been signed out.")


@admin.register(SecurityEvent)
class SecurityEventAdmin(KitAdmin[SecurityEvent]):
    """Shows events; they are never added, changed or deleted here."""

    list_display = ["created_at", "kind", "user", "actor", "detail", "ip", "device"]
    list_filter = ["kind"]
    list_select_related = ["user", "actor"]
    search_fields = ["user__email", "ip"]
    search_help_text = "Email address or IP address"
    show_full_result_count = False

    @admin.display
    def device(self, event: SecurityEvent) -> str:
        return devices.describe(event.user_agent) if event.user_agent else ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        del request, obj
        return False
