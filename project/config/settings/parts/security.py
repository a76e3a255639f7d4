"""Security headers, cookies and hosts, as strict as all environments allow."""

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.parts.http import SITE_URL, TAKEN_PATHS
from config.settings.parts.media import UPLOAD_ORIGINS, UPLOAD_TARGETS

SECRET_KEY = env.str("SECRET_KEY", lines=True)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", "", lines=True)
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
# Where the admin is. Links to it are made by `reverse`.
ADMIN_PATH = env.path("ADMIN_PATH", "admin/", reserved=TAKEN_PATHS)
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Where to report vulnerabilities, for /.well-known/security.txt.
SECURITY_CONTACT = env.contacts("SECURITY_CONTACT")

# Named and formed like Django 6's setting. Forbids inline scripts even with a nonce, because Turbo
# gives its nonce to every script of a page that it loads. See docs/security.md.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "connect-src": ["'self'", *UPLOAD_TARGETS],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "frame-src": ["'self'"],
    "img-src": ["'self'", "data:", *UPLOAD_ORIGINS],
    "manifest-src": ["'self'"],
    "media-src": ["'self'"],
    "script-src": ["'self'"],
    # The hash is that of the style of Turbo's progress bar; frontend/src/js/dovetail/policy.test.ts
    # computes it from the installed Turbo. A nonce instead would make each page another one.
    "style-src": [
        "'self'",
        "'sha256-WAyOw4V+FqDc35lQPyRADLBWbuNK8ahvYEaQIYF1+Ps='",
        "<CSP_NONCE_SENTINEL>",
    ],
}
# By name, the URLs that the policy's `report-to` may name.
REPORTING_ENDPOINTS: dict[str, str] = {}
_report_url = env.url("CSP_REPORT_URL", "https", default="")
CSP_REPORTS = not _report_url  # whether dovetail.http.csp_reports takes them
if not _report_url and not DEBUG:
    _report_url = "/csp-reports/"
if _report_url:
    if not _report_url.isascii() or set(_report_url) & set(',;"\\'):
        raise ImproperlyConfigured(
            "CSP_REPORT_URL contains a character that no URL in a policy can contain: write %2C "
            "for a comma, %3B for a semicolon, and percent codes for others."
        )
    REPORTING_ENDPOINTS["csp"] = _report_url
    SECURE_CSP["report-to"] = ["csp"]
    SECURE_CSP["report-uri"] = [_report_url]  # for browsers that do not know `report-to`
# What browsers offer and no page uses; take out what you are going to use. Not in it are the hints
# about the browser, which it sends only if a site asks, and what pages use: passkeys
# (publickey-credentials-*) and copying (clipboard-write).
DENIED_FEATURES = [
    *("accelerometer", "aria-notify", "autoplay", "browsing-topics", "camera"),
    *("captured-surface-control", "clipboard-read", "compute-pressure", "cross-origin-isolated"),
    *("deferred-fetch", "deferred-fetch-minimal", "digital-credentials-create"),
    *("digital-credentials-get", "display-capture", "encrypted-media", "fullscreen", "gamepad"),
    *("geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection"),
    *("interest-cohort", "keyboard-map", "language-detector", "language-model", "local-fonts"),
    *("local-network", "local-network-access", "loopback-network", "magnetometer"),
    *("media-playback-while-not-visible", "microphone", "midi", "on-device-speech-recognition"),
    *("otp-credentials", "payment", "picture-in-picture", "private-state-token-issuance"),
    *("private-state-token-redemption", "screen-wake-lock", "serial", "speaker-selection"),
    *("storage-access", "summarizer", "sync-xhr", "translator", "unload", "usb"),
    *("window-management", "xr-spatial-tracking"),
]
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in DENIED_FEATURES)
# For how long browsers refuse plain HTTP after a visit. Short at first, because it cannot be taken
# back: see docs/production.md.
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 0 if DEBUG else 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
if SECURE_HSTS_PRELOAD and not (
    SECURE_HSTS_INCLUDE_SUBDOMAINS and SECURE_HSTS_SECONDS >= 365 * 24 * 3600
):
    raise ImproperlyConfigured(
        "HSTS_PRELOAD requires HSTS_INCLUDE_SUBDOMAINS=true and HSTS_SECONDS of at least 31536000 "
        "(a year), or browsers' preload lists will not accept the site."
    )
# `check --deploy` would ask for both of them from the first deployment.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# In this header Turbo sends the token from the cookie that <meta name="csrf-param"> names.
CSRF_HEADER_NAME = "HTTP_X_CSRF_TOKEN"
CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "dovetail.http.messages.MessageStorage"
MESSAGE_COOKIE_NAME = "messages"
THEME_COOKIE_NAME = "theme"  # written by frontend/src/js/controllers/theme_controller.ts
