from django.core.exceptions import ImproperlyConfigured

from config import env

# line, for people, or json, for programs.
LOG_FORMAT = env.str("LOG_FORMAT", "line" if env.bool("DEBUG") else "json")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT must be line or json, not {LOG_FORMAT!r}.")
# Whether each request is logged, by dovetail.http.access_log; in development, Granian does.
ACCESS_LOG = env.bool("ACCESS_LOG", default=not env.bool("DEBUG"))

# What follows these in a path lets whoever has it in, so that no log gets it.
SECRET_PATHS = ["/accounts/password/reset/key/", "/mail/unsubscribe/"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "dovetail.logs.LineFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
        "json": {"()": "dovetail.logs.JsonFormatter"},
    },
    "filters": {
        "refused": {"()": "dovetail.logs.RefusedRequestFilter"},
        "secret_paths": {"()": "dovetail.logs.SecretPathFilter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["refused", "secret_paths"],
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Without Django's own handlers, which would print each line twice.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
    },
}
