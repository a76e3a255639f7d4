from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.logout import logout
from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.generic import DetailView, FormView, ListView, TemplateView, View

from apps.users import exports, mail
from apps.users.devices import describe
from apps.users.forms import ProfileForm
from apps.users.models import DataExport, Notification, SecurityEvent, User
from apps.users.models.notification import with_details
from apps.users.security_log import Kind, record
from apps.users.signals import end_all_sessions
from dovetail.http.bodies import takes_files
from dovetail.http.limits import refusal
from dovetail.media.direct import UploadsMixin
from dovetail.models.versions import VersionedUpdateView

NOTIFICATIONS_PER_PAGE = 20
EVENTS_PER_PAGE = 30

# Requires recent reauthentication (ACCOUNT_REAUTHENTICATION_TIMEOUT); browsers store no such page.
sensitive = method_decorator(
    [never_cache, reauthentication_required(app="apps.users")], name="dispatch"
)


def person(request: HttpRequest) -> User:
    """Return the signed-in user, with its type."""
    return cast("User", request.user)


class ProfileView(DetailView[User]):
    template_name = "users/profile.html"
    context_object_name = "profile"
    queryset = User.objects.get_queryset().with_profile()


@method_decorator(takes_files, name="dispatch")
class ProfileUpdateView(
    LoginRequiredMixin,
    UploadsMixin,
    SuccessMessageMixin[ProfileForm],
    VersionedUpdateView[User, ProfileForm],
):
    form_class = ProfileForm
    template_name = "users/profile_form.html"
    success_url = reverse_lazy("users:edit")
    success_message = "Profile saved."

    def get_object(self, queryset: QuerySet[Any] | None = None) -> User:
        del queryset
        return person(self.request)


class SessionsView(LoginRequiredMixin, ListUserSessionsView):  # type: ignore[misc]
    """Lists a person's sessions, and ends all others.

    allauth's view deletes the rows of sessions that it does not find, among them those that get a
    new key meanwhile.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        active = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
        rows = UserSession.objects.filter(user=self.request.user.pk, session_key__in=active)
        sessions = list(rows.order_by("created_at"))
        context = FormView.get_context_data(self, sessions=sessions, **kwargs)
        return context | {"session_count": len(sessions)}


@sensitive
class SessionEndView(View):
    """Ends one session. `SessionsView` ends all others at once."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        session = get_object_or_404(UserSession, pk=pk, user=request.user.pk)
        # First: ending the session in use also signs this request out.
        record(Kind.SESSIONS_ENDED, person(request), detail=describe(session.user_agent))
        end_sessions(request, [session])
        messages.info(request, "Signed out of that device.")
        return redirect("usersessions_list")


class ActivityView(LoginRequiredMixin, ListView[SecurityEvent]):
    """Shows what has happened to a person's account."""

    template_name = "users/activity.html"
    paginate_by = EVENTS_PER_PAGE

    def get_queryset(self) -> QuerySet[SecurityEvent]:
        return person(self.request).security_events.all()


class DataView(LoginRequiredMixin, TemplateView):
    """Shows a person's data exports, and the way to delete their account."""

    template_name = "users/data.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = DataExport.objects.filter(user=person(self.request)).for_list()
        return super().get_context_data(exports=rows, **kwargs)


@sensitive
class ExportCreateView(View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            exports.request(person(request))
        except exports.TooSoonError as error:
            messages.info(request, str(error))
        else:
            told = "Your data is being collected. You will get an email with a link."
            messages.success(request, told)
        return redirect("users:data")


class ExportView(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        export = get_object_or_404(DataExport.objects.available(), pk=pk, user=request.user.pk)
        if is_reauthentication_required(request, app="apps.users"):
            # Not back to here: a download would leave the form open that asks for the proof.
            page = urlencode({REDIRECT_FIELD_NAME: reverse("users:data")})
            return redirect(f"{reverse('account_reauthenticate')}?{page}")
        return refusal(request, "exports") or exports.download(export, person(request))


@sensitive
class AccountDeletionView(TemplateView):
    template_name = "users/deletion.html"

    def post(self, request: HttpRequest) -> HttpResponse:
        user = person(request)
        with transaction.atomic():
            user.request_deletion()
            record(Kind.DELETION_REQUESTED, user)
            mail.send("account/email/deletion_requested", user, {"removed_on": user.removed_on})
        end_all_sessions(user)
        logout(request, show_message=False)
        messages.info(
            request, "Your account has been deleted. To restore it, sign in within two weeks."
        )
        return redirect("home")


class NotificationsView(LoginRequiredMixin, ListView[Notification]):
    template_name = "users/notifications.html"
    paginate_by = NOTIFICATIONS_PER_PAGE

    def get_queryset(self) -> QuerySet[Notification]:
        return Notification.objects.for_person(person(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {"notifications": with_details(context["page_obj"])}


class NotificationsReadingView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        Notification.objects.for_person(person(request)).mark_read()
        return redirect("users:notifications")
