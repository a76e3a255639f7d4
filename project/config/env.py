"""Reads the environment. Nothing else in the project does.

A value comes from the environment, from the file named by `NAME_FILE`, from `.env`, or from the
defaults that a settings module passes to `use_defaults`, in this order:

    from config import env

    DEBUG = env.bool("DEBUG", default=False)

Every function raises `ImproperlyConfigured` with one sentence that names the setting and the
remedy. The functions are named after the types they return.
"""

import builtins
import os
import re
from collections.abc import Mapping, Set as AbstractSet
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import addresses, dotenv, service_urls, url_parts

BASE_DIR = Path(__file__).resolve().parents[2]
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # not tabs and line breaks
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}

names_read: set[builtins.str] = set()
_defaults: dict[builtins.str, builtins.str] = {}


def names_in(path: Path) -> dict[builtins.str, builtins.int]:
    """Return the names that `.env.example` lists, with their line numbers."""
    return dotenv.names_in(path)


def load_dotenv(path: Path, *, example: Path = BASE_DIR / ".env.example") -> None:
    """Add the settings in a `.env` file to the environment, where they are not set yet.

    A name that `.env.example` does not list is refused: otherwise a misspelled name would silently
    leave its setting at the default.

    Args:
        path: the file to read; it may be missing.
        example: the list of all settings; it may be missing.
    """
    if not os.path.lexists(path):  # a link to a file that is missing is reported
        return
    known = set(names_in(example)) if example.is_file() else None
    for name, value in dotenv.read(path, known).items():
        if not is_set(name.removesuffix("_FILE")):
            os.environ[name] = _as_in_environment(value)


def use_defaults(defaults: Mapping[builtins.str, builtins.str]) -> None:
    """Set defaults for settings that the environment does not set; later calls win.

    Raises:
        ImproperlyConfigured: a setting has been read already, without its default.
    """
    for name in defaults:
        # `manage.py serve` has set the defaults of the application that it loads.
        if name in names_read and _defaults.get(name) != defaults[name]:
            raise ImproperlyConfigured(
                f"The default of {name} comes too late, because {name} has been read already: call "
                "env.use_defaults before anything loads the settings."
            )
    _defaults.update(defaults)


def is_set(name: builtins.str) -> builtins.bool:
    """Return whether the environment, `.env` or `NAME_FILE` sets a value."""
    return name in os.environ or os.environ.get(f"{name}_FILE", "") != ""


def str(
    name: builtins.str, default: builtins.str | None = None, *, lines: builtins.bool = False
) -> builtins.str:
    """Return a setting as it is. Without a default, it must be set and not empty.

    Args:
        name: of the setting.
        default: its default.
        lines: whether it may have several lines. Of others, a line break at the end is dropped, and
            one within is refused: in a header it would begin another one. URLs are read as lines
            because `url_parts` has a better remedy.
    """
    names_read.add(name)
    value = _raw(name)
    value = _defaults.get(name, default) if value is None else _checked(name, value, lines=lines)
    if value is None or (value == "" and default is None):
        raise ImproperlyConfigured(
            f"{name} is not set. Set it (or {name}_FILE) in the environment; "
            ".env.example describes it."
        )
    return value


def bool(name: builtins.str, *, default: builtins.bool = False) -> builtins.bool:
    value = str(name, builtins.str(default)).strip().lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false.")
    return value in TRUE


def int(
    name: builtins.str,
    default: builtins.int,
    *,
    least: builtins.int = 0,
    most: builtins.int = 999_999_999,
) -> builtins.int:
    value = str(name, builtins.str(default))
    if not re.fullmatch(r"[0-9]{1,99}", value) or builtins.int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}.")
    if builtins.int(value) > most:
        raise ImproperlyConfigured(f"{name} must be at most {most}.")
    return builtins.int(value)


def list(
    name: builtins.str, default: builtins.str | None = None, *, lines: builtins.bool = False
) -> builtins.list[builtins.str]:
    """Return a comma-separated setting as a list, without empty items.

    Args:
        name: of the setting.
        default: its default.
        lines: whether an item may have several lines. Line breaks around items are dropped.
    """
    items = [item.strip() for item in str(name, default, lines=True).split(",") if item.strip()]
    return [_checked(name, item, lines=lines) for item in items]


def foreign(name: builtins.str) -> builtins.str | None:
    """Return a variable that is no setting, since a package reads it itself; None if not set.

    One that is set to nothing is unset, which not every package takes it for.
    """
    value = os.environ.get(name)
    if value is None or not value.strip():
        os.environ.pop(name, None)
        return None
    return _checked(name, value, lines=True)


def url(
    name: builtins.str, *schemes: builtins.str, default: builtins.str | None = None
) -> builtins.str:
    """Return a URL after checking its scheme, host and port."""
    value = str(name, default, lines=True)
    return value if value == default else url_parts.with_host(name, value, *schemes).text


def site_url(name: builtins.str) -> builtins.str:
    """Return the URL of a site, which has no path, without a trailing slash."""
    return service_urls.site(name, str(name, lines=True))


def database(name: builtins.str) -> dict[builtins.str, Any]:
    """Return a PostgreSQL URL as an entry of `DATABASES`."""
    return service_urls.database(name, str(name, lines=True))


def valkey(name: builtins.str) -> builtins.str:
    """Return the URL of a server for the Valkey protocol, as redis-py takes it."""
    return service_urls.valkey(name, str(name, lines=True))


def broker(name: builtins.str) -> builtins.str:
    """Return the URL of a RabbitMQ or Valkey server, or several, as Celery takes it."""
    return service_urls.broker(name, str(name, lines=True))


def memcached(name: builtins.str) -> builtins.list[builtins.str]:
    """Return the addresses in a memcached URL; none if it is not set."""
    value = str(name, "", lines=True)
    return service_urls.memcached(name, value) if value else []


def email(name: builtins.str) -> dict[builtins.str, Any]:
    """Return an SMTP URL as Django's `EMAIL_*` settings."""
    return service_urls.email(name, str(name, lines=True))


def sender(name: builtins.str) -> builtins.str:
    """Return the address that mail comes from, with or without a name before it."""
    return addresses.sender(name, str(name))


def contacts(name: builtins.str) -> builtins.list[builtins.str]:
    """Return comma-separated URLs of ways to reach people; none if it is not set."""
    return [service_urls.contact(name, item) for item in list(name, "")]


def origins(name: builtins.str) -> builtins.list[builtins.str]:
    """Return comma-separated origins of sites as browsers send them; none if it is not set."""
    return [service_urls.origin(name, item) for item in list(name, "")]


def path(
    name: builtins.str, default: builtins.str, *, reserved: AbstractSet[builtins.str]
) -> builtins.str:
    """Return a path of the site, without a slash before it and with one after it.

    Args:
        name: of the setting.
        default: its default.
        reserved: the first parts of paths that are taken.
    """
    return service_urls.path(name, str(name, "") or default, reserved)


def private_hosts(name: builtins.str, default: builtins.str) -> builtins.list[builtins.str]:
    """Return comma-separated names of hosts, addresses and networks."""
    return [service_urls.private_host(name, item) for item in list(name, default)]


def folder(name: builtins.str, default: Path) -> Path:
    """Return the path of a folder, which may be relative to the checkout or start with `~`.

    Unlike other settings, it may have line breaks, as any path may.
    """
    names_read.add(name)
    value = _text(name, _raw(name) or _defaults.get(name, ""))
    if "\0" in value:
        raise ImproperlyConfigured(f"{name} contains a control character: remove it.")
    try:
        return BASE_DIR / Path(_as_in_environment(value) or default).expanduser()
    except RuntimeError:  # no such user, or the user of this process has no entry
        raise ImproperlyConfigured(
            f"{name} starts with a ~ that stands for nobody's home folder: write the whole path."
        ) from None


def _raw(name: builtins.str) -> builtins.str | None:
    path = os.environ.get(f"{name}_FILE")
    if name in os.environ:
        if os.environ[name] == "" and path:
            raise ImproperlyConfigured(
                f"{name} is set to nothing, and comes before {name}_FILE, which is set, too: unset "
                "one of them."
            )
        return os.environ[name]
    if not path:
        return None
    try:
        # With a mark of the byte order at its beginning, as some editors on Windows write it.
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        # Without the path, which may be the secret itself.
        raise ImproperlyConfigured(
            f"{name}_FILE must be the path of a file with the value, but cannot be read: {reason}."
        ) from None


def _as_in_environment(value: builtins.str) -> builtins.str:
    """Return text as Python reads it from the environment, as bytes where the locale has no é."""
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return value.encode().decode("ascii", "surrogateescape")
    return value


def _text(name: builtins.str, value: builtins.str) -> builtins.str:
    """Return the text of a value, whatever the locale.

    Surrogates are how Python keeps bytes of the environment that the locale does not know. The
    error contains no part of the value, since it may be a secret.
    """
    try:
        return value.encode(errors="surrogateescape").decode()
    except UnicodeError:
        raise ImproperlyConfigured(f"{name} is not UTF-8 text: encode it as UTF-8.") from None


def _checked(name: builtins.str, value: builtins.str, *, lines: builtins.bool) -> builtins.str:
    """Return a value that is text, which any program and protocol takes."""
    value = _text(name, value)
    if not lines:
        value = value.strip("\r\n")
    if (CONTROL_IN_LINES if lines else CONTROL).search(value):
        what = "a control character" if lines else "a line break or another control character"
        raise ImproperlyConfigured(f"{name} contains {what}: remove it.")
    return value


def _dotenv_path() -> Path:
    """Return the path in ENV_FILE, which must exist, or that of `.env`, which may be missing."""
    if not (named := os.environ.get("ENV_FILE")):
        return BASE_DIR / ".env"
    if not os.path.exists(named):  # noqa: PTH110 - `Path.exists` raises an error if it may not look
        raise ImproperlyConfigured(
            f"ENV_FILE names {named}, which does not exist: correct the path or unset ENV_FILE."
        )
    return Path(named)


load_dotenv(_dotenv_path())
