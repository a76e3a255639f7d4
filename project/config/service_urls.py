"""Parses the URLs of services into the form that their clients take.

Each function takes the name of a setting and its value. As in `url_parts`, an error is one sentence
that names the setting and the remedy, and contains no part of the value.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping, Set as AbstractSet
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

from config import url_options
from config.url_parts import MAX_PORT, is_host, is_loopback, malformed, split, with_host
from dovetail.cache.urls import client_url

VALKEY_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
TLS_SCHEMES = ("rediss", "valkeys")
# Options of libpq that it reads as numbers, and only when it connects.
NUMBERS = (
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout"),
)
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
PART = re.compile(r"[a-z0-9][a-z0-9_-]*")
MAX_PATH = 100  # characters
MAX_NAME = 253  # characters (RFC 1035)
SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def database(name: str, value: str) -> dict[str, Any]:
    """Return a PostgreSQL URL as an entry of `DATABASES`, read as psql reads it.

    In addition, it may name a Unix socket as in `postgres:////run/postgresql/database`.
    """
    schemes = ("postgres", "postgresql")
    example = "postgres://user:password@host:5432/database"
    url = split(name, value, *schemes, example=example)
    _check_options(name, url.query)
    try:
        options: dict[str, Any] = dict(conninfo_to_dict(url.text))
    except ProgrammingError:
        # Not chained, because libpq's message quotes the URL.
        raise malformed(name, *schemes, example=example) from None
    _check_values(name, options)
    database = options.pop("dbname", "")
    host = options.pop("host", "")
    if not host and database.startswith("/"):
        host, _, database = database.rpartition("/")
    if not host and "hostaddr" not in options:
        # libpq's default is a folder that depends on how it was built.
        raise ImproperlyConfigured(
            f"{name} does not name a host: it must look like {example}, or, for a Unix socket, "
            "like postgres://user@/database?host=/run/postgresql."
        )
    if not database:
        raise ImproperlyConfigured(f"{name} does not name a database: it must end in /database.")
    if "/" in database:
        raise ImproperlyConfigured(
            f"{name} names a database with a /: end it in /database, and if you mean a Unix "
            "socket, add its folder as in ?host=/run/postgresql."
        )
    port = options.pop("port", "")
    ports = [item for item in port.split(",") if item]
    if not all(re.fullmatch(r"[0-9]{1,5}", item) and 0 < int(item) <= MAX_PORT for item in ports):
        raise malformed(name, *schemes, example=example)
    return {
        "ENGINE": "dovetail.database",
        "NAME": database,
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": host,
        "PORT": int(port) if ports == [port] else port,
        **({"OPTIONS": options} if options else {}),
    }


def valkey(name: str, value: str) -> str:
    """Return the URL of a server for the Valkey protocol, with a scheme that redis-py accepts."""
    is_socket = value.strip().lower().startswith("unix:")
    options = url_options.UNIX if is_socket else url_options.TCP
    return _valkey(name, value, *VALKEY_SCHEMES, options=options)


def broker(name: str, value: str) -> str:
    """Return the URL of a broker, or several separated by `;`, with schemes that kombu accepts."""
    items = value.split(";")
    if not all("://" in item for item in items[1:]):
        raise ImproperlyConfigured(
            f"{name} contains a ; that no other broker follows: in the user name and the password "
            "write %3B for ;, or add the other broker with its scheme, as in amqp://one;amqp://two."
        )
    return ";".join(_broker(name, item) for item in items)


def memcached(name: str, value: str) -> list[str]:
    """Return the servers of a memcached URL: `host:port`, or the path of a Unix socket."""
    example = "memcached://host:11211"
    url = split(name, value, "memcached", example=example)
    path = url.path.rstrip("/")
    is_socket = not any(host for host, _ in url.hosts) or url.hosts == [("unix", None)]
    if url.has_credentials:
        raise ImproperlyConfigured(
            f"{name} must not contain a user or a password: only the network protects memcached."
        )
    complete = bool(path) if is_socket else not path and all(host for host, _ in url.hosts)
    if url.query or not complete:
        raise ImproperlyConfigured(
            f"{name} is malformed: it must look like {example}, {example},other:11211 or "
            "memcached:///run/memcached/memcached.sock."
        )
    if is_socket:
        return [unquote(path)]
    return [f"{f'[{host}]' if ':' in host else host}:{port or 11211}" for host, port in url.hosts]


def email(name: str, value: str) -> dict[str, Any]:
    """Return an SMTP URL as Django's `EMAIL_*` settings."""
    example = "smtp+tls://user:password@host:587"
    url = with_host(name, value, *SMTP_PORTS, example=example)
    if url.tail not in {"", "/"}:
        raise ImproperlyConfigured(f"{name} must end after the host and port, as in {example}.")
    if bool(url.user) != bool(url.password):
        raise ImproperlyConfigured(
            f"{name} must contain both a user and a password or neither, as in {example}."
        )
    return {
        "EMAIL_BACKEND": "dovetail.mail.smtp.EmailBackend",
        "EMAIL_HOST": url.host,
        "EMAIL_PORT": url.port or SMTP_PORTS[url.scheme],
        "EMAIL_HOST_USER": url.user,
        "EMAIL_HOST_PASSWORD": url.password,
        "EMAIL_USE_TLS": url.scheme == "smtp+tls",
        "EMAIL_USE_SSL": url.scheme == "smtp+ssl",
    }


def site(name: str, value: str) -> str:
    """Return the URL of a site as browsers write its origin, such as `https://site.example`."""
    example = "https://site.example"
    url = with_host(name, value, "https", "http", example=example)
    if url.tail not in {"", "/"} or url.has_credentials:
        raise ImproperlyConfigured(
            f"{name} must be only a scheme and a host, as in {example}: the site cannot be served "
            "below a path, so give it a host name of its own."
        )
    if not url.host.isascii() or "%" in url.host:
        raise ImproperlyConfigured(
            f"{name} must have a host of ASCII characters: write an international name as browsers "
            "send it, as in https://xn--bcher-kva.example."
        )
    host = f"[{url.host}]" if ":" in url.host else url.host.lower().removesuffix(".")
    if not is_host(host.strip("[]")):
        raise ImproperlyConfigured(
            f"{name} must have a host of letters, digits, - and . only, with no - or second . at "
            "the beginning or end of a part: Django or browsers take no other, such as one with "
            "an _."
        )
    default = {"https": 443, "http": 80}[url.scheme]
    port = f":{url.port}" if url.port and url.port != default else ""
    return f"{url.scheme}://{host}{port}"


def allowed_host(name: str, value: str) -> str:
    """Return an item of `ALLOWED_HOSTS` that requests can have, with or without a dot before it."""
    host = value.removeprefix(".")
    in_brackets = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if in_brackets else host
    is_ipv6 = ":" in bare and is_host(bare)
    if is_host(bare) and is_ipv6 == in_brackets:
        return value
    if is_ipv6:
        remedy = "addresses of IPv6 in brackets, as in [::1]."
    elif not host.isascii():
        remedy = "international names as browsers send them, as in xn--bcher-kva.example."
    elif "_" in host:
        remedy = (
            "names without an _, because Django answers no request to another: rename the host."
        )
    else:
        remedy = (
            "host names without https://, a port or a dot at the end, such as site.example, or "
            ".site.example for it and all of its subdomains."
        )
    raise ImproperlyConfigured(f"{name} must list {remedy}")


def origin(name: str, value: str) -> str:
    """Return the origin of another site, such as `https://app.example`.

    Plain HTTP is refused, except for this machine: whoever is in between could put a script into
    such a site.
    """
    example = "https://app.example"
    url = with_host(name, value, "https", "http", example=example)
    if url.tail or url.has_credentials or not re.fullmatch(r"[a-zA-Z0-9.:-]+", url.host):
        raise ImproperlyConfigured(
            f"{name} must list origins as browsers send them, which are only a scheme, a host and "
            f"a port, as in {example}: no * and no path, and international names as in "
            "https://xn--bcher-kva.example."
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ImproperlyConfigured(
            f"{name} names an origin with http://, whose pages can be changed on their way: use "
            "https://, except for localhost."
        )
    return site(name, value)


def contact(name: str, value: str) -> str:
    """Return a way to reach people, in the form that `security.txt` requires (RFC 9116, 2.5.3)."""
    scheme, _, rest = value.partition(":")
    scheme = scheme.lower()
    if scheme == "https":
        return with_host(name, value, "https", example="https://site.example/security").text
    if scheme in {"mailto", "tel"} and re.fullmatch(r"[!-~]+", rest):
        return f"{scheme}:{rest}"
    raise ImproperlyConfigured(
        f"{name} must list URLs, such as mailto:security@site.example, "
        "https://site.example/security or tel:+1-201-555-0123."
    )


def path(name: str, value: str, reserved: AbstractSet[str]) -> str:
    """Return a path of the site, such as `admin/`, which none of the others hides."""
    parts = value.strip("/").split("/")
    if len(value) > MAX_PATH or not all(map(PART.fullmatch, parts)):
        raise ImproperlyConfigured(
            f"{name} must be a path such as admin/ or back-office/, of a-z, 0-9, - and _."
        )
    if parts[0] in reserved:
        raise ImproperlyConfigured(
            f"{name} starts with a part that other pages have: choose a word that is none of "
            f"{', '.join(sorted(reserved))}."
        )
    return "/".join(parts) + "/"


def private_host(name: str, value: str) -> str:
    """Return the name of a host, or a network, in the spelling to compare with."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    labels = value.lower().split(".")
    if len(value) > MAX_NAME or not all(map(LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ImproperlyConfigured(
            f"{name} must list names of hosts, addresses and networks, such as "
            "login.internal.example, 10.1.2.3 or 10.1.2.0/24: no scheme, no port and no *."
        )
    return value.lower()


def _valkey(
    name: str,
    value: str,
    *schemes: str,
    options: Mapping[str, url_options.Kind],
    tls: Mapping[str, url_options.Kind] = url_options.TLS,
) -> str:
    """Return a URL with a scheme that redis-py accepts.

    Args:
        name: the setting.
        value: the URL.
        schemes: those that are accepted.
        options: what may follow its `?`.
        tls: what may also follow it if the scheme is one of TLS.
    """
    example = "redis://host:6379/0"
    url = split(name, value, *schemes, example=example)
    if url.scheme in TLS_SCHEMES:
        options = {**options, **tls}
    url_options.check(name, url.query, options)
    if url.scheme == "unix":
        if url.host or not url.path.strip("/"):
            raise ImproperlyConfigured(
                f"{name} is malformed: a Unix socket must look like "
                "unix:///run/valkey/valkey.sock?db=0."
            )
        return url.text
    if len(url.hosts) != 1 or not url.host:
        raise malformed(name, *schemes, example=example)
    if not re.fullmatch(r"(/[0-9]*)?", url.path):
        # redis-py would ignore it and use database 0.
        raise ImproperlyConfigured(f"{name} must end in the number of a database, as in {example}.")
    return client_url(url.text)


def _broker(name: str, value: str) -> str:
    schemes = ("amqp", "amqps", *VALKEY_SCHEMES)
    example = "amqp://user:password@host:5672//"
    url = split(name, value, *schemes, example=example)
    if url.scheme in VALKEY_SCHEMES:
        # kombu has other options than redis-py, and reads them only when it connects.
        options = url_options.UNIX_BROKER if url.scheme == "unix" else {}
        text = _valkey(name, value, *schemes, options=options, tls=url_options.TLS_BROKER)
    elif len(url.hosts) == 1 and url.host:
        url_options.check(name, url.query, url_options.AMQP)
        text = url.text
    else:
        raise malformed(name, *schemes, example=example)
    items = url.query.split("&") if url.query else []
    if url.scheme == "unix":
        # kombu's names for the scheme and for the option `db`.
        items = [re.sub(r"^db=", "virtual_host=", item) for item in items]
        text = text.replace("unix", "redis+socket", 1)
    elif url.scheme in TLS_SCHEMES and not any(item.startswith("ssl_") for item in items):
        items.append("ssl_cert_reqs=required")  # kombu would not check the server's certificate
    return "?".join(filter(None, [text.partition("?")[0], "&".join(items)]))


def _check_options(name: str, query: str) -> None:
    """Refuse what is no option of libpq, naming the option that was probably meant."""
    known = [option.keyword.decode() for option in Conninfo.get_defaults()]
    for item in query.split("&") if query else []:
        keyword, separator, _ = item.partition("=")
        if separator and unquote(keyword) in {*known, "ssl"}:
            continue
        near = difflib.get_close_matches(unquote(keyword), known, n=1, cutoff=0.8)
        raise _unknown_option(name, near[0] if separator and near else "")


def _is_value(option: str, value: str) -> bool:
    """Return whether libpq takes the value of an option that it reads only when it connects."""
    if option == "hostaddr":
        return all(not item or _is_address(item) for item in value.split(","))
    return option not in NUMBERS or bool(re.fullmatch(r"-?[0-9]{1,9}", value))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_values(name: str, options: dict[str, Any]) -> None:
    """Refuse values that libpq would refuse, each time that it connects."""
    wrong = next((key for key, value in options.items() if not _is_value(key, value)), None)
    if wrong is None:
        # It looks at the others before it finds that there is no server here.
        nowhere = {key: text for key, text in options.items() if key != "hostaddr"}
        nowhere |= {"host": "/", "port": "1"}
        attempt = PGconn.connect_start(make_conninfo("", **nowhere).encode())
        reason = attempt.error_message.decode(errors="replace")
        attempt.finish()
        if reason.startswith("connection to server"):
            return
        words = set(re.split(r"\W+", reason))
        wrong = next((key for key in options if key in words), None)
        if wrong is None:
            return  # libpq refuses a PG* variable of the shell, not a part of the URL
    raise ImproperlyConfigured(f"{name} has an invalid value of {wrong} after its ?: correct it.")


def _unknown_option(name: str, near: str = "") -> ImproperlyConfigured:
    hint = f"did you mean {near}?" if near else "remove it, or correct its name or value."
    return ImproperlyConfigured(f"{name} has an invalid option after its ?: {hint}")
