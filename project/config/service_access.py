"""Refuses servers on other hosts that would serve anyone, for production.

What they hold decides what the site does: the queue of tasks, counters of failed logins, messages
to open pages. Each function takes the name of a setting and its value as `service_urls` returns it.
An error is one sentence that names the setting and the remedy, and contains no part of the value.
"""

import ipaddress

import kombu
import redis
from django.core.exceptions import ImproperlyConfigured

SETTING = "ALLOW_UNAUTHENTICATED_SERVICES"


def check_valkey(name: str, url: str) -> None:
    """Refuse a URL of another host without a password and without a client certificate."""
    # A password may also be among the options.
    options = redis.ConnectionPool.from_url(url).connection_kwargs
    host = str(options.get("host", ""))
    if "path" in options or _is_here(host):
        return
    if not options.get("password") and not options.get("ssl_certfile"):
        raise _unauthenticated(name, "valkey://:password@host:6379/0")


def check_broker(name: str, urls: str) -> None:
    """Refuse the same in each of the URLs, and RabbitMQ's built-in user."""
    for url in urls.split(";"):
        broker = kombu.Connection(url)
        host = broker.hostname or ""
        has_certificate = isinstance(broker.ssl, dict) and "ssl_certfile" in broker.ssl
        if url.startswith("redis+socket://") or _is_here(host) or has_certificate:
            continue
        is_rabbitmq = url.startswith("amqp")
        if not broker.password:
            user = "user" if is_rabbitmq else ""
            scheme = "amqp" if is_rabbitmq else "valkey"
            raise _unauthenticated(name, f"{scheme}://{user}:password@host")
        if is_rabbitmq and broker.userid == "guest":
            raise ImproperlyConfigured(
                f"{name} names RabbitMQ on another host and its user guest, whose password "
                "everyone knows: create a user for this site, delete guest, and name the new user, "
                f"as in amqp://user:password@host, or set {SETTING}=true if only this site can "
                "reach that server."
            )


def check_memcached(name: str, servers: list[str]) -> None:
    """Refuse any server on another host, because this client knows no passwords."""
    for server in servers:
        host = server.rpartition(":")[0].strip("[]")
        if not server.startswith("/") and not _is_here(host):
            raise ImproperlyConfigured(
                f"{name} names memcached on another host, which serves everyone who can reach it: "
                "use a Unix socket, as in memcached:///run/memcached/memcached.sock, or one on "
                f"this host, or unset {name} to use Valkey, or set {SETTING}=true if only this "
                "site can reach that server."
            )


def _is_here(host: str) -> bool:
    """Return whether a host is this one. A name in a container network is another host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _unauthenticated(name: str, example: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} names a server on another host without a password, so whoever reaches that server "
        f"decides what this site reads from it: add the password, as in {example}, or a client "
        f"certificate, or set {SETTING}=true if only this site can reach that server."
    )
