from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.parts.api import API_PREFIX, CORS_ALLOWED_ORIGINS
from config.settings.parts.database import DATABASE_ROUTERS
from config.startup import MOST_THREADS, PAGE_THREADS

ROOT_URLCONF = "config.urls"
# The first parts of paths of config/urls.py and of what answers before it; for ADMIN_PATH.
TAKEN_PATHS = {
    *(".well-known", "accounts", "api", "articles", "cable", "csp-reports", "dev", "livez", "mail"),
    *("media", "people", "readyz", "staff", "static", "uploads"),
}
ASGI_APPLICATION = "config.asgi.application"

SITE_URL = env.site_url("SITE_URL")
# The number of proxies in front of the application whose X-Forwarded-* headers are trusted. More
# than these are a port or a part of an address by mistake, and no request would have so many.
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0, most=32)
# What runs views: "bridge" (dovetail.http.asgi), or "django" for Django's own ASGI handler.
WEB_HANDLER = env.str("WEB_HANDLER", "bridge")
if WEB_HANDLER not in {"bridge", "django"}:
    raise ImproperlyConfigured(f"WEB_HANDLER must be bridge or django, not {WEB_HANDLER!r}.")
# How many sync views a web process runs at once, in as many threads. They share one core, so that
# more help only while views wait, such as for the database.
WEB_THREADS = env.int("WEB_THREADS", PAGE_THREADS, least=1, most=MOST_THREADS)
# Names of ALLOWED_HOSTS, in its format, that need not have the port of SITE_URL.
HOSTS_ON_ANY_PORT: list[str] = []
# Hosts and networks that the site itself may ask although their addresses are private, such as an
# identity provider's: dovetail.http.outgoing. In development, this machine, also over plain HTTP.
OUTGOING_PRIVATE_HOSTS = env.private_hosts(
    "OUTGOING_PRIVATE_HOSTS", "localhost,127.0.0.0/8,::1" if env.bool("DEBUG") else ""
)
OUTGOING_PLAIN_HTTP = env.bool("DEBUG")
# Whether /readyz answers 503 while migrations are to be applied.
READINESS_NEEDS_MIGRATIONS = False

# Limits for request bodies; dovetail.http.bodies enforces them before Django reads any.
REQUEST_MAX_BYTES = 256 * 1024
REQUEST_FILES_MAX_BYTES = 10 * 1024 * 1024  # for views that take files; at least IMAGE_MAX_BYTES
REQUESTS_MAX_BYTES = 128 * 1024 * 1024  # for all bodies that a web process has at once
REQUEST_TIMEOUT = 20  # seconds; in each of these periods, a body must arrive at least at this rate:
REQUEST_MIN_RATE = 4 * 1024  # bytes per second

# How often a person, or a network of people who are not signed in, may do this in a minute
# (dovetail.http.limits). docs/security.md lists all limits.
RATE_LIMITS = {
    "writes": 120,  # forms of any kind
    "search": 120,  # pages of search results, which are also asked for while people type
    "exports": 10,  # files of all rows
}
# What has other limits, and is counted for no person.
RATE_UNLIMITED = [API_PREFIX, "/csp-reports/", "/mail/"]

# For how long caches in front of the site may answer visitors with a copy of a public page: they
# show changes that much later, and must tell requests apart by `Vary: Cookie`. See docs/cache.md.
# A year is the longest that HTTP is made for.
PAGES_CDN_SECONDS = env.int("PAGES_CDN_SECONDS", 0, most=365 * 24 * 3600)

MIDDLEWARE = [
    "dovetail.http.request_id.RequestIdMiddleware",
    "dovetail.http.security.SecurityHeadersMiddleware",
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
    "dovetail.api.problems.SlashMiddleware",
    "dovetail.api.unchanged.UnchangedMiddleware",
    "dovetail.http.static.StaticFilesMiddleware",
    "dovetail.http.conditional.ConditionalPagesMiddleware",
    "dovetail.http.refused.RefusedBodyMiddleware",
    "dovetail.cache.pages.VisitorPagesMiddleware",
    *(["dovetail.database.replica.ReplicaMiddleware"] if DATABASE_ROUTERS else []),
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
    "dovetail.http.limits.WriteLimitMiddleware",
    "dovetail.http.paths.PathMiddleware",
]
