from typing import Any, cast

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.views.generic import UpdateView

from apps.users.forms import ProfileForm
from apps.users.models import User


class ProfileUpdateView(
    LoginRequiredMixin, SuccessMessageMixin[ProfileForm], UpdateView[User, ProfileForm]
):
    form_class = ProfileForm
    template_name = "users/profile_form.html"
    success_url = reverse_lazy("users:edit")
    success_message = "Your profile is saved."

    def get_object(self, queryset: QuerySet[Any] | None = None) -> User:
        del queryset
        return cast("User", self.request.user)
