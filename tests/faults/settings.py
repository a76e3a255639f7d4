"""The settings of production, with pages that take their time."""

from config.settings.production import *

ROOT_URLCONF = "tests.faults.urls"
# All clients of these tests have the same address.
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]
