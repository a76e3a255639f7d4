from django.urls import reverse

from config.settings import env

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

# A person's page shows what they wrote, so it belongs to articles, of which users knows nothing.
ABSOLUTE_URL_OVERRIDES = {"users.user": lambda user: reverse("articles:author", args=[user.pk])}

SITE_NAME = "Dovetail"
SITE_URL = env.url("SITE_URL", "https", "http").rstrip("/")

MIDDLEWARE = [
    "apps.core.http.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.http.static.StaticFilesMiddleware",
    "apps.core.http.security.SecurityHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.users.middleware.SessionUseMiddleware",
    "apps.core.turbo.middleware.TurboMiddleware",
]
