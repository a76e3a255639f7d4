"""The admin site: staff sign in on the regular login page and need a second factor."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.users.models import User


class AdminSite(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not needs_mfa(request)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Redirect to the regular login page, or to the setup of a second factor."""
        del extra_context  # this view renders no page
        response: HttpResponse = _admin_login(request)
        return response


def needs_mfa(request: HttpRequest) -> bool:
    """Return whether a staff user must set up a second factor before using the admin."""
    if not settings.MFA_REQUIRED_FOR_STAFF or not isinstance(request.user, User):
        return False
    return request.user.is_staff and not request.user.is_mfa_enabled


@secure_admin_login  # type: ignore[untyped-decorator]
def _admin_login(request: HttpRequest) -> HttpResponse:
    if needs_mfa(request):
        messages.warning(request, "Set up two-factor authentication to use the admin.")
        return redirect("mfa_index")
    return redirect("admin:index")
