"""The page of background work: what waits, what runs, and what failed.

A traceback can show what people have entered, so each part asks for a permission of its own, as
Django's admin does: to view, change (retry) or delete (discard) task failures.
"""

from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.generic import ListView, TemplateView, View
from kombu.exceptions import OperationalError

from apps.users.models import User
from dovetail.tasks import failures, status
from dovetail.tasks.models import OutboxEntry, TaskFailure, TaskFailureQuerySet

VIEW = "dovetail_tasks.view_taskfailure"
RETRY = "dovetail_tasks.change_taskfailure"
DISCARD = "dovetail_tasks.delete_taskfailure"
PAGE_SIZE = 25
LONGEST_PK = 18  # digits, which PostgreSQL can hold


def may(user: User, permission: str) -> bool:
    """Return whether someone is staff now, with a second factor, and has a permission."""
    return user.is_acting_staff and user.has_perm(permission)


class StaffOnlyMixin(LoginRequiredMixin):
    """Answers 404 to all who may not open the page, and asks staff for their second factor."""

    permission: ClassVar[str]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            if request.user.is_staff and request.user.are_rights_withheld:
                messages.warning(request, "Set up two-factor authentication to use this page.")
                return redirect("mfa_index")
            if not may(request.user, self.permission):
                raise Http404
        return super().dispatch(request, *args, **kwargs)


class JobsView(StaffOnlyMixin, ListView[TaskFailure]):
    permission = VIEW
    template_name = "staff/jobs.html"
    paginate_by = PAGE_SIZE
    queryset = TaskFailure.objects.for_list()

    def paginate_queryset(
        self, queryset: Any, page_size: int
    ) -> tuple[Paginator[TaskFailure], Page[TaskFailure], Any, bool]:
        """Show the last page instead of one that has become empty while someone looked at it."""
        page = self.get_paginator(queryset, page_size).get_page(self.request.GET.get("page"))
        return page.paginator, page, page.object_list, page.has_other_pages()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast("User", self.request.user)
        return super().get_context_data(
            may_retry=may(user, RETRY), may_discard=may(user, DISCARD), **kwargs
        )


class JobsNowView(StaffOnlyMixin, TemplateView):
    """What waits and runs, in a frame of the page, since the workers take a moment to answer."""

    permission = VIEW
    template_name = "staff/jobs_now.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            kwargs |= {"queues": status.queues(), "running": status.running()}
        except OperationalError:
            kwargs["is_broker_unavailable"] = True
        kwargs |= OutboxEntry.objects.aggregate(outbox=Count("pk"), oldest=Min("created_at"))
        return super().get_context_data(**kwargs)


class FailuresView(StaffOnlyMixin, View):
    """Does something to the failures that a form names."""

    http_method_names = ["post"]

    def selected(self, request: HttpRequest) -> TaskFailureQuerySet:
        named = request.POST.getlist("failure")[:PAGE_SIZE]
        pks = [int(pk) for pk in named if pk.isdecimal() and len(pk) <= LONGEST_PK]
        return TaskFailure.objects.filter(pk__in=pks)

    def back(self) -> HttpResponse:
        """Redirect to the page, or home those who may not view it."""
        return redirect("staff:jobs" if may(cast("User", self.request.user), VIEW) else "home")


class RetryView(FailuresView):
    permission = RETRY

    def post(self, request: HttpRequest) -> HttpResponse:
        count = failures.retry(self.selected(request))
        if not count and self.selected(request).exists():
            messages.info(request, "Its arguments are not known, so it cannot be started again.")
        else:
            say(request, count, "started again")
        return self.back()


class DiscardView(FailuresView):
    permission = DISCARD

    def post(self, request: HttpRequest) -> HttpResponse:
        count, _ = self.selected(request).delete()
        say(request, count, "discarded")
        return self.back()


def say(request: HttpRequest, count: int, what: str) -> None:
    if count:
        messages.success(request, f"{count} task{pluralize(count)} {what}.")
    else:
        messages.info(request, "Someone else has done so already.")
