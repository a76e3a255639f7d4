from django.core.exceptions import ImproperlyConfigured

from config import env

# auto: ParadeDB for tables with its index, PostgreSQL's own search for the others.
SEARCH_ENGINE = env.str("SEARCH_ENGINE", "auto")
if SEARCH_ENGINE not in {"auto", "paradedb", "postgres"}:
    raise ImproperlyConfigured(
        f"SEARCH_ENGINE must be auto, paradedb or postgres, not {SEARCH_ENGINE!r}."
    )
