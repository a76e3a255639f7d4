"""Security headers, cookies and hosts, as strict as all environments allow."""

from config import env
from config.settings.parts.http import SITE_URL

SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", "")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# Named and formed like Django 6's setting. Forbids inline scripts even with a nonce, because Turbo
# gives its nonce to every script of a page that it loads. See docs/security.md.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "connect-src": ["'self'"],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "frame-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "manifest-src": ["'self'"],
    "media-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'", "<CSP_NONCE_SENTINEL>"],
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: []
    for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
}
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# In this header Turbo sends the token from the cookie that <meta name="csrf-param"> names.
CSRF_HEADER_NAME = "HTTP_X_CSRF_TOKEN"
CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SAMESITE = "Lax"
