"""The settings of production, without limits for the few clients that send all requests."""

from config.settings import production
from config.settings.production import *

ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]
RATE_LIMITS = dict.fromkeys(production.RATE_LIMITS, 1_000_000)
