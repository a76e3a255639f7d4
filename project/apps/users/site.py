"""The administration: staff log in where everybody does, and with a second factor."""

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
        """Send who may not enter to the page that helps: the login, or the second factor."""
        del extra_context  # there is no page of its own
        response: HttpResponse = _gate(request)
        return response


def needs_mfa(request: HttpRequest) -> bool:
    """Tell whether a member of staff has to set up a second factor before they act as such."""
    if not settings.MFA_REQUIRED_FOR_STAFF or not isinstance(request.user, User):
        return False
    return request.user.is_staff and not request.user.is_mfa_enabled


@secure_admin_login  # type: ignore[untyped-decorator]
def _gate(request: HttpRequest) -> HttpResponse:
    if needs_mfa(request):
        messages.warning(request, "Set up two-factor authentication: the administration asks it.")
        return redirect("mfa_index")
    return redirect("admin:index")
