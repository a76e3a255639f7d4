from config import env
from config.settings.parts.api import CORS_ALLOWED_ORIGINS

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

SITE_URL = env.site_url("SITE_URL")
# The number of proxies in front of the application whose X-Forwarded-* headers are trusted.
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)
# Names of ALLOWED_HOSTS, in its format, that need not have the port of SITE_URL.
HOSTS_ON_ANY_PORT: list[str] = []
# Whether /readyz answers 503 while migrations are to be applied.
READINESS_NEEDS_MIGRATIONS = False

# Limits for request bodies; dovetail.http.bodies enforces them before Django reads any.
REQUEST_MAX_BYTES = 256 * 1024
REQUEST_FILES_MAX_BYTES = 10 * 1024 * 1024  # for views that take files; at least IMAGE_MAX_BYTES
REQUESTS_MAX_BYTES = 128 * 1024 * 1024  # for all bodies that a web process has at once
REQUEST_TIMEOUT = 20  # seconds; in each of these periods, a body must arrive at least at this rate:
REQUEST_MIN_RATE = 4 * 1024  # bytes per second

MIDDLEWARE = [
    "dovetail.http.health.HealthMiddleware",
    # So that scripts of other origins can read the errors, too.
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "dovetail.api.compression.CompressionMiddleware",
    "dovetail.api.headers.ApiHeadersMiddleware",
    "dovetail.api.problems.ProblemMiddleware",
    "dovetail.http.headers.HeaderLimitMiddleware",
    "dovetail.http.hosts.HostMiddleware",
    "dovetail.http.proxy.RedirectLoopMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dovetail.api.unchanged.UnchangedMiddleware",
    "dovetail.http.static.StaticFilesMiddleware",
    "dovetail.http.security.SecurityHeadersMiddleware",
    "dovetail.http.refused.RefusedBodyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dovetail.http.charset.CharsetMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.users.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.users.middleware.PrivatePagesMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.users.middleware.AccountConflictMiddleware",
    "dovetail.turbo.middleware.TurboMiddleware",
    "dovetail.http.paths.PathMiddleware",
]
