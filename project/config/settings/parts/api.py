"""The API, below /api/: its errors, its formats, and who may use it."""

from config import env
from config.settings.parts.names import SITE_NAME

API_PREFIX = "/api/"

# Requests per minute by scope: of a person by all of their sessions and tokens, of each token, and
# of the network of people who are not signed in. `auth` counts their failed attempts to sign in.
API_RATE_FACTOR = env.int("API_RATE_FACTOR", 1, least=1)
API_RATES = {
    scope: {
        kind: limit * API_RATE_FACTOR
        for kind, limit in {"person": person, "token": token, "address": address}.items()
    }
    for scope, person, token, address in [
        ("read", 600, 300, 120),
        ("write", 240, 120, 30),
        ("search", 120, 60, 30),
        ("auth", 20, 20, 20),
    ]
}

# For how long, and up to which size, an answer to a request with an Idempotency-Key is stored.
IDEMPOTENCY_HOURS = 24
IDEMPOTENCY_MAX_BYTES = 512 * 1024

# The sites whose scripts may use the API, with tokens. None by default.
CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_CREDENTIALS = env.bool("CORS_ALLOW_CREDENTIALS", default=False)
CORS_URLS_REGEX = f"^{API_PREFIX}"
CORS_PREFLIGHT_MAX_AGE = 3600  # seconds
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
    "x-csrf-token",
]
CORS_EXPOSE_HEADERS = [
    *("Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location"),
    *("RateLimit", "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate"),
]

# What an access token can be allowed to do, in two scopes for each group of resources, which the
# viewsets name (dovetail.api.scopes). Their order is that of the form.
API_SCOPES = {
    "articles:read": "Read, search and count articles",
    "articles:write": "Write, publish and delete articles",
    "comments:read": "Read comments",
    "comments:write": "Write and delete comments",
    "account:read": "See your profile, notifications and tokens",
    "account:write": "Change your profile, create and revoke tokens",
}

REST_FRAMEWORK = {
    # The first one's scheme is that which a 401 asks for.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.api.authentication_jwt.JWTAuthentication",
        "apps.api.authentication.TokenAuthentication",
        "dovetail.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PARSER_CLASSES": ["dovetail.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "dovetail.api.pagination.CursorPagination",
    # What is not said to be public is not.
    "DEFAULT_PERMISSION_CLASSES": [
        "dovetail.api.scopes.ScopePermission",
        "rest_framework.permissions.IsAuthenticated",
    ],
    "DEFAULT_RENDERER_CLASSES": ["dovetail.api.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "dovetail.api.schema.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["dovetail.api.throttles.ScopedThrottle"],
    "EXCEPTION_HANDLER": "dovetail.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": [
        "dovetail.api.renderers.JSONRenderer",
        "rest_framework.renderers.MultiPartRenderer",
    ],
}

SPECTACULAR_SETTINGS = {
    "TITLE": f"{SITE_NAME} API",
    "VERSION": "1",
    "DESCRIPTION": (
        "Errors are problems by RFC 9457. Lists come in pages: follow `next`. What can be changed "
        "has an `ETag`: send it in `If-Match` with a change, and in `If-None-Match` to read it "
        "again. Members and parameters that mean nothing are refused."
    ),
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVERS": [{"url": "/"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    # Names of generated types, which stay what they are when another field has the same choices.
    "ENUM_NAME_OVERRIDES": {
        "CategoryEnum": "apps.articles.models.Category",
        "StatusEnum": "apps.articles.models.Status",
        "BulkMethodEnum": "dovetail.api.bulk.METHODS",
        "ScopeEnum": "config.settings.parts.api.API_SCOPES.items",
        "SecondFactorEnum": "apps.api.serializers.app_sessions.TYPES",
    },
    # By the first part of the path.
    "TAGS": [
        {"name": "articles", "description": "Read, write, publish and delete articles."},
        {"name": "comments", "description": "Read and write comments on articles."},
        {"name": "categories", "description": "What articles are about."},
        {"name": "search", "description": "Find published articles by words."},
        {"name": "analytics", "description": "Count published articles."},
        {"name": "users", "description": "People, yourself, and what is stored about you."},
        {"name": "notifications", "description": "What has happened that concerns you."},
        {"name": "tokens", "description": "Access tokens, for programs of your own."},
        {"name": "auth", "description": "Sign a mobile or desktop app in and out."},
    ],
}
