from config import env

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

SITE_URL = env.url("SITE_URL", "https", "http").rstrip("/")
# The number of proxies in front of the application whose X-Forwarded-* headers are trusted.
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)

MIDDLEWARE = [
    "dovetail.http.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dovetail.http.static.StaticFilesMiddleware",
    "dovetail.http.security.SecurityHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.users.middleware.SessionUseMiddleware",
    "dovetail.turbo.middleware.TurboMiddleware",
]
