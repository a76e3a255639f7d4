"""The admin site: staff sign in on the regular login page and need a second factor.

Django's own pages for credentials lead to those of the account, which have the limits, notices and
proofs that the admin's lack.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from allauth.account.decorators import secure_admin_login
from allauth.account.views import logout as account_logout
from django.contrib import admin, messages
from django.contrib.admin.exceptions import DisallowedModelAdminToField
from django.contrib.admin.options import TO_FIELD_VAR
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from apps.users.models import User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class AdminSite(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_acting_staff

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Refuse an empty `_to_field` as Django refuses other names of no field."""

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR)) == "":
                raise DisallowedModelAdminToField("The field to look up has no name.")
            return view(request, *args, **kwargs)

        return super().admin_view(cast("View", checked), cacheable)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Redirect to the regular login page, or to the setup of a second factor."""
        del extra_context  # this view renders no page
        response: HttpResponse = _admin_login(request)
        return response

    def logout(  # type: ignore[override] # django-stubs knows only Django's own pages
        self, request: HttpRequest, extra_context: object = None
    ) -> HttpResponse:
        """Sign out as the account's own page does, which also ends a session at a provider."""
        del extra_context
        if request.method != "POST":
            return redirect("account_logout")
        response: HttpResponse = account_logout(request)
        return response

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: object = None
    ) -> HttpResponse:
        """Redirect to the account's page, with its limit of guesses, notice and end of sessions."""
        del request, extra_context
        return redirect("account_change_password")

    def password_change_done(  # type: ignore[override]
        self, request: HttpRequest, extra_context: object = None
    ) -> HttpResponse:
        del request, extra_context
        return redirect("account_change_password")


@secure_admin_login  # type: ignore[untyped-decorator]
def _admin_login(request: HttpRequest) -> HttpResponse:
    if cast("User", request.user).are_rights_withheld:
        messages.warning(request, "Set up two-factor authentication to use the admin.")
        return redirect("mfa_index")
    return redirect("admin:index")
