"""Login with OpenID Connect providers, GitHub and Google. See docs/sso.md."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env, oidc
from config.settings.parts.apps import INSTALLED_APPS

SOCIALACCOUNT_ADAPTER = "apps.users.adapters.SocialAccountAdapter"
SOCIALACCOUNT_FORMS = {"signup": "apps.users.signup.SocialSignupForm"}
# How long a sign-in at an OpenID Connect provider vouches for mapped groups and staff status, and
# for the session of a person whose address belongs to the provider. Then they sign in there again.
SSO_LIFETIME = timedelta(days=1)
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # enabled per provider below
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_LOGIN_ON_GET = False  # other sites must not be able to start a login
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    "openid_connect": {
        "provider_class": "apps.users.sso.provider.SingleSignOnProvider",
        "OAUTH_PKCE_ENABLED": True,
        "APPS": oidc.parse(env.str("OIDC_PROVIDERS", "", lines=True), insecure=env.bool("DEBUG")),
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
        raise ImproperlyConfigured(
            f"{' and '.join(_names)} must be set together: set both or neither."
        )
    if not _client_id:
        continue
    INSTALLED_APPS += [f"allauth.socialaccount.providers.{_id}"]
    SOCIALACCOUNT_PROVIDERS[_id] = {
        **_options,
        "OAUTH_PKCE_ENABLED": True,
        # Both report reliably which addresses they have verified. apps.users.sso.linking decides
        # which accounts that is enough for.
        "EMAIL_AUTHENTICATION": True,
        "APPS": [{"client_id": _client_id, "secret": _secret, "key": ""}],
    }
