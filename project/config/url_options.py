"""The options after the `?` of the URLs of servers for Valkey's protocol and of RabbitMQ.

The clients take any name for a parameter of their own, objects included, and many values that fail
only when a page needs a connection. So what is known to work is listed here.
"""

import difflib
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Kind:
    """What the value of an option must be.

    Attributes:
        text: completes "must be".
        takes: whether it is one.
    """

    text: str
    takes: Callable[[str], object]


def _are_seconds(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text)) and float(text) > 0


def _are_ciphers(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except ssl.SSLError:
        return False
    return True


BOOLS = {"true", "false", "yes", "no", "1", "0"}  # in any case, as redis-py takes them
NUMBER = Kind("a whole number", re.compile(r"[0-9]{1,9}").fullmatch)
COUNT = Kind("a whole number of at least 1", re.compile(r"[1-9][0-9]{0,8}").fullmatch)
SECONDS = Kind("a number of seconds above 0", _are_seconds)
BOOL = Kind("true or false", lambda text: text.lower() in BOOLS)
BOOL_BROKER = Kind("true or false", lambda text: text.lower() in {"true", "false"})
NAME = Kind("a name of ASCII characters without spaces", re.compile(r"[!-~]+").fullmatch)
TEXT = Kind("set to something", bool)
PATH = Kind("the path of a file or folder", bool)
CHECKS = Kind("none, optional or required", {"none", "optional", "required"}.__contains__)
CHECKS_BROKER = Kind(
    CHECKS.text,
    {"none", "optional", "required", "CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED"}.__contains__,
)
PROTOCOL = Kind("2 or 3", {"2", "3"}.__contains__)
CIPHERS = Kind("a list of ciphers that OpenSSL knows", _are_ciphers)
LOGIN = Kind("PLAIN, AMQPLAIN or EXTERNAL", {"PLAIN", "AMQPLAIN", "EXTERNAL"}.__contains__)

TLS = {
    "ssl_cert_reqs": CHECKS,
    "ssl_check_hostname": BOOL,
    "ssl_ca_certs": PATH,
    "ssl_ca_path": PATH,
    "ssl_certfile": PATH,
    "ssl_keyfile": PATH,
    "ssl_password": TEXT,
    "ssl_ciphers": CIPHERS,
}
# Not those that change what the clients return or call, such as `decode_responses`.
UNIX = {
    "db": NUMBER,
    "username": TEXT,
    "password": TEXT,
    "client_name": NAME,
    "protocol": PROTOCOL,
    "max_connections": COUNT,
    "health_check_interval": NUMBER,
    "retry_on_timeout": BOOL,
    "socket_timeout": SECONDS,
    "socket_connect_timeout": SECONDS,
}
TCP = UNIX | {"socket_keepalive": BOOL}
# kombu passes the options of a broker on as text, which all others would fail with.
UNIX_BROKER = {"db": NUMBER, "client_name": NAME}
# It takes Python's names, too, and anything but "false" for true.
TLS_BROKER = TLS | {"ssl_cert_reqs": CHECKS_BROKER, "ssl_check_hostname": BOOL_BROKER}
AMQP = {"heartbeat": NUMBER, "login_method": LOGIN}


def check(name: str, query: str, known: Mapping[str, Kind]) -> None:
    """Refuse options that are not known, are there twice, or have a value of another kind.

    Args:
        name: the setting.
        query: what follows the `?` of its URL.
        known: the kinds of values, by option.
    """
    seen: set[str] = set()
    for item in query.split("&") if query else []:
        option, _, value = item.partition("=")
        if option not in known:
            raise unknown(name, option, known)
        if option in seen:
            raise ImproperlyConfigured(f"{name} has the option {option} twice: remove one of them.")
        seen.add(option)
        if not known[option].takes(unquote_plus(value)):
            raise ImproperlyConfigured(
                f"{name} has an invalid value of {option} after its ?: it must be "
                f"{known[option].text}."
            )


def unknown(name: str, option: str, known: Mapping[str, Kind]) -> ImproperlyConfigured:
    """Return an error that names the option that was probably meant, or all of them."""
    if not known:
        return ImproperlyConfigured(f"{name} must have no options after its ?: remove them.")
    near = difflib.get_close_matches(option, known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else f"known here are {', '.join(known)}."
    return ImproperlyConfigured(f"{name} has an invalid option after its ?: {hint}")
