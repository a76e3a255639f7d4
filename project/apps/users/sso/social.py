"""Sign-in with GitHub and Google, installed if their client IDs are set (parts/sso.py)."""

from allauth.socialaccount.providers.github.provider import GitHubProvider as AllauthGitHub
from allauth.socialaccount.providers.google.provider import GoogleProvider as AllauthGoogle

from apps.users.sso.claims import StorableClaimsMixin
from apps.users.sso.redirects import RedirectPageMixin


class GitHubProvider(RedirectPageMixin, StorableClaimsMixin, AllauthGitHub):  # type: ignore[misc]
    package = "allauth.socialaccount.providers.github"


class GoogleProvider(RedirectPageMixin, StorableClaimsMixin, AllauthGoogle):  # type: ignore[misc]
    package = "allauth.socialaccount.providers.google"
