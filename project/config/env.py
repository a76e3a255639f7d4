"""Reads the environment. Nothing else in the project does.

A value comes from the environment, from the file named by `NAME_FILE`, from `.env`, or from the
defaults that a settings module passes to `use_defaults`, in this order:

    from config import env

    DEBUG = env.bool("DEBUG", default=False)

Every function raises `ImproperlyConfigured` with one sentence that names the setting and the
remedy. The functions are named after the types they return, as in django-environ.
"""

import builtins
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}

names_read: set[builtins.str] = set()
_defaults: dict[builtins.str, builtins.str] = {}


def names_in(path: Path) -> dict[builtins.str, builtins.int]:
    """Return the names that a dotenv file sets or shows commented out, with their line numbers."""
    pattern = re.compile(r"^(?:#\s?)?(?:export\s+)?([A-Z][A-Z0-9_]*)=")
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return {match[1]: number for number, line in lines if (match := pattern.match(line))}


def load_dotenv(path: Path, *, example: Path = BASE_DIR / ".env.example") -> None:
    """Read a `.env` file, refusing names that `.env.example` does not list.

    Otherwise a misspelled name would silently leave its setting at the default.

    Args:
        path: the file to read; it may be missing.
        example: the list of all settings.
    """
    if not path.is_file():
        return
    known = set(names_in(example)) if example.is_file() else None
    for name, number in names_in(path).items():
        if known is None or name.removesuffix("_FILE") in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"{example.name} lists all settings."
        raise ImproperlyConfigured(
            f"{path.name} line {number} sets {name}, which is not a setting. {hint}"
        )
    environ.Env.read_env(builtins.str(path))


def use_defaults(defaults: Mapping[builtins.str, builtins.str]) -> None:
    """Set defaults for settings that the environment does not set; later calls win."""
    _defaults.update(defaults)


def is_set(name: builtins.str) -> builtins.bool:
    """Return whether the environment, `.env` or `NAME_FILE` sets a value."""
    return name in os.environ or f"{name}_FILE" in os.environ


def str(name: builtins.str, default: builtins.str | None = None) -> builtins.str:
    """Return a setting as it is. Without a default, it must be set and not empty."""
    names_read.add(name)
    value = _raw(name)
    if value is None:
        value = _defaults.get(name, default)
    if value is None or (value == "" and default is None):
        raise ImproperlyConfigured(
            f"{name} is not set. Set it (or {name}_FILE) in the environment; "
            ".env.example describes it."
        )
    return value


def bool(name: builtins.str, *, default: builtins.bool = False) -> builtins.bool:
    value = str(name, builtins.str(default)).strip().lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in TRUE


def int(name: builtins.str, default: builtins.int, *, least: builtins.int = 0) -> builtins.int:
    value = str(name, builtins.str(default))
    if not re.fullmatch(r"\d{1,9}", value) or builtins.int(value) < least:
        raise ImproperlyConfigured(
            f"{name} must be a whole number of at least {least}, not {value!r}."
        )
    return builtins.int(value)


def list(name: builtins.str, default: builtins.str | None = None) -> builtins.list[builtins.str]:
    """Return a comma-separated setting as a list, without empty items."""
    return [item.strip() for item in str(name, default).split(",") if item.strip()]


def url(
    name: builtins.str, *schemes: builtins.str, default: builtins.str | None = None
) -> builtins.str:
    """Return a URL after checking its scheme, host and port."""
    value = str(name, default)
    if value == default:
        return value
    try:
        parts = urlsplit(value)
        complete = parts.scheme in schemes and builtins.bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, or a broken IPv6 address
        complete = False
    if not complete:
        # The value is not shown, because it may contain a password.
        raise ImproperlyConfigured(
            f"{name} is malformed: it must look like {schemes[0]}://host:port/…"
            + (f" (or {', '.join(schemes[1:])})." if schemes[1:] else ".")
        )
    return value


def database(name: builtins.str) -> dict[builtins.str, Any]:
    """Return a PostgreSQL URL as an entry of `DATABASES`."""
    value = url(name, "postgres", "postgresql")
    config: dict[builtins.str, Any] = environ.Env.db_url_config(value)
    if not config["NAME"]:
        raise ImproperlyConfigured(f"{name} does not name a database: it must end in /database.")
    return config


def email(name: builtins.str) -> dict[builtins.str, Any]:
    """Return an SMTP URL as Django's `EMAIL_*` settings."""
    value = url(name, "smtp", "smtp+tls", "smtp+ssl")
    config: dict[builtins.str, Any] = environ.Env.email_url_config(value)
    return {key: item for key, item in config.items() if key.startswith("EMAIL_")}


def _raw(name: builtins.str) -> builtins.str | None:
    if name in os.environ:
        return os.environ[name]
    if (path := os.environ.get(f"{name}_FILE")) is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(
            f"{name}_FILE names {path}, which cannot be read: {reason}."
        ) from error


load_dotenv(Path(os.environ.get("ENV_FILE", BASE_DIR / ".env")))
