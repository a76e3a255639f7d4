from typing import ClassVar

from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.users.models import User
from apps.users.signals import end_all
from dovetail.search.admin import SearchAdmin

# Providers come from the environment alone, and no token is kept.
admin.site.unregister([SocialApp, SocialToken])


@admin.register(User)
class UserAdmin(SearchAdmin[User], DjangoUserAdmin[User]):
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

    @admin.action(description="End all sessions of selected users", permissions=["change"])
    def end_sessions(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            end_all(user)
        self.message_user(request, "Their sessions are ended.")
