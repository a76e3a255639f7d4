"""The page on which people choose what they get by mail."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import TemplateView, View

from apps.users import addresses
from apps.users.models import User
from dovetail.mail import topics
from dovetail.mail.models import OptOut, Suppression


class MailView(LoginRequiredMixin, TemplateView):
    template_name = "users/mail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast("User", self.request.user)
        off = set(OptOut.objects.filter(user=user).values_list("topic", flat=True))
        choices = [(topic, topic.name not in off) for topic in topics.all_topics()]
        return super().get_context_data(choices=choices, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        OptOut.objects.set_all(cast("User", request.user).pk, set(request.POST.getlist("topic")))
        messages.success(request, "Email settings saved.")
        return redirect("users:mail")


class MailResumptionView(LoginRequiredMixin, View):
    """Sends mail again to a person's address that bounced or complained."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        user = cast("User", request.user)
        if user.email in addresses.confirmed(user):
            Suppression.objects.for_address(user.email).delete()
            messages.success(request, f"Email goes to {user.email} again.")
        return redirect("users:mail")
