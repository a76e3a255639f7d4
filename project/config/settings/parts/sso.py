"""Logins that others vouch for: OIDC providers, GitHub, Google. See docs/sso.md."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env, oidc
from config.settings.parts.apps import INSTALLED_APPS

SOCIALACCOUNT_ADAPTER = "apps.users.adapters.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # only where the provider below says so
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_LOGIN_ON_GET = False  # a page elsewhere must not start a login
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    "openid_connect": {
        "provider_class": "apps.users.sso.provider.SingleSignOnProvider",
        "OAUTH_PKCE_ENABLED": True,
        "APPS": oidc.parse(env.str("OIDC_PROVIDERS", ""), insecure=env.bool("DEBUG")),
    },
}
_SOCIAL: dict[str, dict[str, Any]] = {
    "github": {
        "provider_class": "apps.users.sso.social.GitHubProvider",
        "SCOPE": ["user:email"],
    },
    "google": {
        "provider_class": "apps.users.sso.social.GoogleProvider",
        "SCOPE": ["email", "profile"],
    },
}
for _id, _options in _SOCIAL.items():
    _names = f"{_id.upper()}_CLIENT_ID", f"{_id.upper()}_CLIENT_SECRET"
    _client_id, _secret = (env.str(_name, "") for _name in _names)
    if bool(_client_id) != bool(_secret):
        raise ImproperlyConfigured(f"{' and '.join(_names)} belong together: set both or none.")
    if not _client_id:
        continue
    INSTALLED_APPS += [f"allauth.socialaccount.providers.{_id}"]
    SOCIALACCOUNT_PROVIDERS[_id] = {
        **_options,
        "OAUTH_PKCE_ENABLED": True,
        # Both say which addresses they have verified, and mean it.
        "EMAIL_AUTHENTICATION": True,
        "APPS": [{"client_id": _client_id, "secret": _secret, "key": ""}],
    }
