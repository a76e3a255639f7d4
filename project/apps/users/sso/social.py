"""GitHub and Google; installed when their client ids are set (parts/sso.py)."""

from allauth.socialaccount.providers.github.provider import GitHubProvider as AllauthGitHub
from allauth.socialaccount.providers.google.provider import GoogleProvider as AllauthGoogle

from apps.users.sso.leave import LeavingMixin


class GitHubProvider(LeavingMixin, AllauthGitHub):  # type: ignore[misc]
    package = "allauth.socialaccount.providers.github"


class GoogleProvider(LeavingMixin, AllauthGoogle):  # type: ignore[misc]
    package = "allauth.socialaccount.providers.google"
