"""The environment: read here and nowhere else.

A value comes from the environment, from the file named by `NAME_FILE`, from `.env`, or from the
defaults that a settings module gave with `use_defaults`, in this order. Every function raises
`ImproperlyConfigured` with one sentence that names the setting and how to mend it.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[3]
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}

names_read: set[str] = set()
_defaults: dict[str, str] = {}


def names_in(path: Path) -> dict[str, int]:
    """Return the names that a dotenv file sets or shows commented out, with their line numbers."""
    pattern = re.compile(r"^(?:#\s?)?(?:export\s+)?([A-Z][A-Z0-9_]*)=")
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return {match[1]: number for number, line in lines if (match := pattern.match(line))}


def load_dotenv(path: Path, *, example: Path = BASE_DIR / ".env.example") -> None:
    """Read a `.env` file; a name that `.env.example` does not know is refused.

    A misspelt name would otherwise leave its setting at the default without a word.

    Args:
        path: the file to read; it need not exist.
        example: the list of all settings.
    """
    if not path.is_file():
        return
    known = set(names_in(example)) if example.is_file() else None
    for name, number in names_in(path).items():
        if known is None or name.removesuffix("_FILE") in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"All settings are in {example.name}."
        raise ImproperlyConfigured(
            f"{path.name} line {number} sets {name}, no such setting. {hint}"
        )
    environ.Env.read_env(str(path))


def use_defaults(defaults: Mapping[str, str]) -> None:
    """Give values for settings that nobody set; later calls win."""
    _defaults.update(defaults)


def is_set(name: str) -> bool:
    """Tell whether the environment (or `.env`, or `NAME_FILE`) sets a value."""
    return name in os.environ or f"{name}_FILE" in os.environ


def text(name: str, default: str | None = None) -> str:
    """Return a setting as it is; without a default it must be set and not empty."""
    names_read.add(name)
    value = _raw(name)
    if value is None:
        value = _defaults.get(name, default)
    if value is None or (value == "" and default is None):
        raise ImproperlyConfigured(
            f"{name} is not set. Set it (or {name}_FILE) in the environment; "
            ".env.example says what it is."
        )
    return value


def flag(name: str, *, default: bool = False) -> bool:
    value = text(name, str(default)).strip().lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in TRUE


def number(name: str, default: int, *, least: int = 0) -> int:
    value = text(name, str(default))
    if not re.fullmatch(r"\d{1,9}", value) or int(value) < least:
        raise ImproperlyConfigured(
            f"{name} must be a whole number of at least {least}, not {value!r}."
        )
    return int(value)


def words(name: str, default: str | None = None) -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def url(name: str, *schemes: str, default: str | None = None) -> str:
    """Return a URL after a look at its scheme, host and port."""
    value = text(name, default)
    if value == default:
        return value
    try:
        parts = urlsplit(value)
        complete = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        complete = False
    if not complete:
        # The value itself may hold a password: it is not shown.
        raise ImproperlyConfigured(
            f"{name} is malformed: it must read like {schemes[0]}://host:port/…"
            + (f" (or {', '.join(schemes[1:])})." if schemes[1:] else ".")
        )
    return value


def database(name: str) -> dict[str, Any]:
    """Return a PostgreSQL URL as an entry of `DATABASES`."""
    value = url(name, "postgres", "postgresql")
    config: dict[str, Any] = environ.Env.db_url_config(value)
    if not config["NAME"]:
        raise ImproperlyConfigured(f"{name} names no database: it must end in /database.")
    return config


def email(name: str) -> dict[str, Any]:
    """Return an SMTP URL as Django's `EMAIL_*` settings."""
    value = url(name, "smtp", "smtp+tls", "smtp+ssl")
    config: dict[str, Any] = environ.Env.email_url_config(value)
    return {key: item for key, item in config.items() if key.startswith("EMAIL_")}


def _raw(name: str) -> str | None:
    if name in os.environ:
        return os.environ[name]
    if (path := os.environ.get(f"{name}_FILE")) is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(f"{name}_FILE names {path}, not readable: {reason}.") from error


load_dotenv(Path(os.environ.get("ENV_FILE", BASE_DIR / ".env")))
