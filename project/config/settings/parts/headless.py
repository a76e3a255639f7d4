"""Sign-in of apps with JSON Web Tokens, which is on if JWT_PRIVATE_KEY is set.

There is no switch besides: without a key no token can be signed, and a site that has no app needs
neither. allauth alone would sign them with SECRET_KEY, so that one leak forges everything.

allauth.headless makes and checks the tokens; its views are not among the URLs. They take other
forms than the pages do, so they lack the limits of guesses, among other rules: see
docs/api.md. The endpoints are in `apps.api.viewsets.app_sessions`.
"""

from config import env
from config.settings.parts.auth import SESSION_COOKIE_AGE

HEADLESS_CLIENTS = ["app"]
HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"  # noqa: S105 - a class
# Only this server checks tokens, since they end with their session: a public key is of no use.
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_PRIVATE_KEY = env.str("JWT_PRIVATE_KEY", "", lines=True)
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 300  # seconds
# As long as a session that is not in use. Each refresh ends the token that it was made with.
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = SESSION_COOKIE_AGE
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
# Looks for the session, so that logout, bans and new passwords end access at once.
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
