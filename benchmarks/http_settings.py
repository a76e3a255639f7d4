"""The settings of production for benchmarks/http.py, with pages of its own and without limits.

Limits are by address, and all clients of a benchmark have the same.
"""

import os

from config.settings.production import *

ROOT_URLCONF = "benchmarks.http_urls"
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]
ACCESS_LOG = False  # as with gunicorn
if "RATE_LIMITS" in globals():  # an earlier state has none
    RATE_LIMITS = dict.fromkeys(RATE_LIMITS, 10**9)
REST_FRAMEWORK = REST_FRAMEWORK | {"DEFAULT_THROTTLE_CLASSES": []}
if os.environ.get("KEEP_CONNECTION"):  # the best for a WSGI server: one connection a thread
    DATABASES["default"].setdefault("OPTIONS", {}).pop("pool", None)
    DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
