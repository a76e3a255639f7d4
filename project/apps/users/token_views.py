"""The pages of a person's access tokens."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import FormView, ListView, View

from apps.users import access_tokens
from apps.users.forms import AccessTokenForm
from apps.users.models import PersonalAccessToken
from apps.users.views import person, sensitive


class AccessTokensView(LoginRequiredMixin, ListView[PersonalAccessToken]):
    template_name = "users/tokens.html"
    context_object_name = "tokens"

    def get_queryset(self) -> QuerySet[PersonalAccessToken]:
        return person(self.request).access_tokens.all()


@sensitive
class AccessTokenCreateView(FormView[AccessTokenForm]):
    """Creates a token, and shows it in the answer to the form: nothing else may keep it."""

    form_class = AccessTokenForm
    template_name = "users/token_form.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": person(self.request)}

    def form_valid(self, form: AccessTokenForm) -> HttpResponse:
        try:
            token, text = access_tokens.create(person(self.request), **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        context = self.get_context_data(token=token, text=text)
        return self.response_class(self.request, ["users/token_created.html"], context)


@sensitive
class AccessTokenRevocationView(View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        token = get_object_or_404(person(request).access_tokens.all(), pk=pk)
        access_tokens.revoke(token)
        messages.success(request, f"The token “{token.name}” has been revoked.")
        return redirect("users:tokens")
