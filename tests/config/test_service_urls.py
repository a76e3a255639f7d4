"""URLs of services: usual forms are accepted, others refused without showing a password."""

import json
import re
import ssl
from typing import Any

import kombu
import psycopg
import pytest
import redis
import redis.asyncio
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from config import env, service_urls, url_options
from config.service_urls import VALKEY_SCHEMES
from tests.config.test_settings import run

NAME = "THING"
# A URL for each of these functions of `env`, with a place for the user and the password.
PATTERNS = {
    "database": "postgres://{}@db.example:5432/kit",
    "valkey": "redis://{}@valkey:6379/0",
    "broker": "amqp://{}@rabbitmq:5672//",
    "memcached": "memcached://{}@memcached:11211",
    "email": "smtp+tls://{}@mail.example:587",
    "site_url": "https://{}@site.example",
}
SOCKET = "/run/postgresql"


def read(kind: str, value: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(NAME, value)
    return getattr(env, kind)(NAME)


def error_of(kind: str, value: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with pytest.raises(ImproperlyConfigured) as raised:
        read(kind, value, monkeypatch)
    sentence = str(raised.value)
    assert sentence.startswith(NAME)
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://ada@db/kit", {"USER": "ada", "HOST": "db", "NAME": "kit", "PORT": ""}),
        ("postgresql://db:5433/kit", {"HOST": "db", "PORT": 5433, "USER": "", "PASSWORD": ""}),
        ("postgres://ada:a%23b%3Fc%2Fd%5Be%40f+g%2Bh@db/kit", {"PASSWORD": "a#b?c/d[e@f+g+h"}),
        ("postgres://db:pa:ss@db/db", {"PASSWORD": "pa:ss", "HOST": "db", "NAME": "db"}),
        ("postgres://ada@[::1]:5433/kit", {"HOST": "::1", "PORT": 5433}),
        ("postgres://a:5432,b:5433/kit", {"HOST": "a,b", "PORT": "5432,5433"}),
        ("postgres://ada@%2Frun%2Fpostgresql/kit", {"HOST": SOCKET, "NAME": "kit", "USER": "ada"}),
        ("postgres://%2Frun%2Fpostgresql:5433/kit", {"HOST": SOCKET, "PORT": 5433}),
        ("postgres:///kit?host=/run/postgresql", {"HOST": SOCKET, "NAME": "kit"}),
        ("postgres:///kit?host=%2Frun%2Fpostgresql&port=5433", {"HOST": SOCKET, "PORT": 5433}),
        ("postgres://@/kit?host=/run/postgresql", {"HOST": SOCKET, "NAME": "kit", "USER": ""}),
        ("postgres://ada:pw@/kit?host=/run/postgresql", {"HOST": SOCKET, "PASSWORD": "pw"}),
        ("postgres:////run/postgresql/kit", {"HOST": SOCKET, "NAME": "kit"}),
        ("postgres://ada@//run/postgresql/kit", {"HOST": SOCKET, "NAME": "kit", "USER": "ada"}),
        ("postgres://db/kit?host=elsewhere", {"HOST": "elsewhere"}),  # as psql reads it
        ("postgres://db/kit?user=ada&password=p%26w", {"USER": "ada", "PASSWORD": "p&w"}),
        ("postgres:///?host=db&dbname=kit", {"HOST": "db", "NAME": "kit"}),
        (
            "postgres://db/kit?sslmode=verify-full&connect_timeout=3&options=-c%20jit%3Doff",
            {
                "OPTIONS": {
                    "sslmode": "verify-full",
                    "connect_timeout": "3",
                    "options": "-c jit=off",
                }
            },
        ),
        ("postgres:///kit?hostaddr=10.1.2.3,::1", {"OPTIONS": {"hostaddr": "10.1.2.3,::1"}}),
        (
            "postgres://a,b/kit?hostaddr=,10.1.2.3&keepalives=-1",
            {"HOST": "a,b", "OPTIONS": {"hostaddr": ",10.1.2.3", "keepalives": "-1"}},
        ),
        ("  postgres://db/kit\n", {"HOST": "db", "NAME": "kit"}),
    ],
)
def test_usual_forms_of_database_urls_are_read_as_psql_reads_them(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: dict[str, Any]
) -> None:
    """Kind: a usual form of a URL, such as a Unix socket, that is misread or refused."""
    config = read("database", url, monkeypatch)

    assert {key: config[key] for key in expected} == expected


@pytest.mark.parametrize("url", ["postgres://db/kit", "postgres://db/kit?connect_timeout=3"])
def test_variable_of_the_shell_is_no_fault_of_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Kind: environment inherited by a check of something else."""
    monkeypatch.setenv("PGSSLMODE", "bogus")
    monkeypatch.setenv("PGSERVICE", "missing")

    assert read("database", url, monkeypatch)["NAME"] == "kit"


def test_options_of_the_database_url_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a part of the URL that is accepted and then dropped."""
    server = settings.DATABASES["default"]
    url = (
        f"postgres:///postgres?host={server['HOST']}&port={server['PORT']}&user={server['USER']}"
        f"&password={server['PASSWORD']}&application_name=a%20b&options=-c%20work_mem%3D7MB"
    )
    config = read("database", url, monkeypatch)

    with psycopg.connect(
        host=config["HOST"],
        port=config["PORT"],
        user=config["USER"],
        password=config["PASSWORD"],
        dbname=config["NAME"],
        **config["OPTIONS"],
    ) as connection:
        row = connection.execute(
            "SELECT current_setting('application_name'), current_setting('work_mem')"
        ).fetchone()
    assert row == ("a b", "7MB")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://valkey:6379/0", "redis://valkey:6379/0"),
        ("valkey://valkey:6379/0", "redis://valkey:6379/0"),
        ("valkeys://valkey-valkeys:6380", "rediss://valkey-valkeys:6380"),
        ("VALKEY://valkey/1", "redis://valkey/1"),
        ("redis://:valkey@valkey/0", "redis://:valkey@valkey/0"),
        ("valkey://valkey:valkeys%2F@valkey/0", "redis://valkey:valkeys%2F@valkey/0"),
        ("rediss://host/0?ssl_ca_certs=/valkey.pem", "rediss://host/0?ssl_ca_certs=/valkey.pem"),
    ],
)
def test_only_the_scheme_of_a_valkey_url_is_changed(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: str
) -> None:
    """Kind: text replacement on a whole URL."""
    assert read("valkey", url, monkeypatch) == expected
    broker = read("broker", url, monkeypatch)
    assert broker.removesuffix("?ssl_cert_reqs=required") == expected
    parts = redis.ConnectionPool.from_url(expected).connection_kwargs
    assert parts["host"] in {"valkey", "valkey-valkeys", "host"}


def test_valkey_unix_socket_reaches_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "unix://ada:p%40w&db=9@/run/valkey/valkey.sock?db=3"

    kept = redis.ConnectionPool.from_url(read("valkey", url, monkeypatch)).connection_kwargs
    broker = kombu.Connection(read("broker", url, monkeypatch))

    assert (kept["path"], kept["db"], kept["password"]) == (
        "/run/valkey/valkey.sock",
        3,
        "p@w&db=9",
    )
    # What kombu reads from its own form of the URL.
    assert broker.transport_cls == "redis"
    assert broker.hostname == "socket://ada:p%40w&db=9@/run/valkey/valkey.sock?virtual_host=3"


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("YES", True), ("1", True), ("False", False), ("0", False)],
)
def test_truth_is_written_as_the_client_reads_it(
    monkeypatch: pytest.MonkeyPatch, text: str, value: object
) -> None:
    url = read("valkey", f"redis://h/0?socket_keepalive={text}", monkeypatch)

    assert redis.ConnectionPool.from_url(url).connection_kwargs["socket_keepalive"] is value


@pytest.mark.parametrize(
    ("url", "checks"),
    [
        ("rediss://h/0", [ssl.CERT_REQUIRED]),
        ("valkeys://h", [ssl.CERT_REQUIRED]),
        ("rediss://:a_ssl_b@h/0", [ssl.CERT_REQUIRED]),
        ("rediss://my_ssl_host/0", [ssl.CERT_REQUIRED]),
        ("rediss://h/0?ssl_cert_reqs=none", [ssl.CERT_NONE]),
        ("rediss://h/0?ssl_cert_reqs=CERT_NONE", [ssl.CERT_NONE]),
        ("rediss://h/0?ssl_cert_reqs=CERT_OPTIONAL", [ssl.CERT_OPTIONAL]),
        ("rediss://h/0?ssl_check_hostname=False&ssl_cert_reqs=required", [ssl.CERT_REQUIRED]),
        ("redis://ssl_/0", [None]),
        ("amqp://a//;rediss://b/1", [None, ssl.CERT_REQUIRED]),
        ("rediss://a/1;rediss://b/1", [ssl.CERT_REQUIRED, ssl.CERT_REQUIRED]),
    ],
)
def test_certificate_of_each_broker_is_checked_unless_its_url_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, url: str, checks: list[ssl.VerifyMode | None]
) -> None:
    """Kind: a search in a whole URL; kombu alone would check no certificate."""
    made: list[Any] = [
        kombu.Connection(item) for item in read("broker", url, monkeypatch).split(";")
    ]

    assert [(one.ssl or {}).get("ssl_cert_reqs") for one in made] == checks


VALUES = {
    "NUMBER": "1",
    "COUNT": "7",
    "SECONDS": "0.5",
    "BOOL": "true",
    "NAME": "site",
    "TEXT": "a",
    "PATH": "/valkey.pem",
    "CHECKS": "none",
    "PROTOCOL": "3",
    "CIPHERS": "HIGH",
    "LOGIN": "EXTERNAL",
}


def query_of(known: dict[str, url_options.Kind]) -> str:
    names = {id(kind): name for name, kind in vars(url_options).items()}
    return "&".join(f"{option}={VALUES[names[id(kind)]]}" for option, kind in known.items())


@pytest.mark.parametrize(
    ("server", "known"),
    [
        ("redis://valkey/0", url_options.TCP),
        ("rediss://valkey/0", url_options.TCP | url_options.TLS),
        ("unix:///run/valkey.sock", url_options.UNIX),
    ],
)
def test_both_clients_take_each_option_of_a_valkey_url(
    monkeypatch: pytest.MonkeyPatch, server: str, known: dict[str, url_options.Kind]
) -> None:
    """Kind: an option that passes at the start and fails when a page needs a connection."""
    url = read("valkey", f"{server}?{query_of(known)}", monkeypatch)

    for client in redis, redis.asyncio:
        pool = client.ConnectionPool.from_url(url)
        assert known.keys() <= pool.connection_kwargs.keys() | {"max_connections"}
        pool.make_connection()


def test_celery_takes_each_option_of_a_valkey_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: kombu passes options on as text, or to another class than redis-py does."""
    url = read("broker", f"rediss://valkey/2?{query_of(url_options.TLS)}", monkeypatch)
    options = kombu.Connection(url).ssl
    assert isinstance(options, dict)
    assert options.keys() == url_options.TLS.keys()
    redis.SSLConnection(**options)

    socket = f"unix:///run/valkey.sock?{query_of(url_options.UNIX_BROKER)}"
    url = read("broker", socket, monkeypatch)
    assert str(kombu.Connection(url).hostname).endswith("?virtual_host=1&client_name=site")


def test_celery_takes_each_option_of_a_rabbitmq_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    url = read("broker", f"amqp://r//?{query_of(url_options.AMQP)}", monkeypatch)

    broker = kombu.Connection(url)

    assert (broker.heartbeat, broker.login_method) == (1, "EXTERNAL")


CODE = """
import json
from config.settings.base import *
address = CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["address"]
print(json.dumps([CACHES["default"]["LOCATION"], address, VALKEY_URL, CELERY_BROKER_URL]))
"""


def test_cache_channels_and_broker_keep_a_host_named_valkey() -> None:
    """Kind: text replacement on a whole URL, in each of its users."""
    result = run(
        "-c",
        CODE,
        PYTHONPATH="project",
        VALKEY_URL="valkey://:valkey@valkey:6379/0",
        CELERY_BROKER_URL="valkeys://:valkey@valkey:6379/1",
        SECRET_KEY="x",
        ALLOWED_HOSTS="x",
        SITE_URL="https://x",
        DATABASE_URL="postgres://db/x",
        EMAIL_URL="smtp+tls://x",
        DEFAULT_FROM_EMAIL="x@x",
    )

    one = "redis://:valkey@valkey:6379/0"
    two = "rediss://:valkey@valkey:6379/1?ssl_cert_reqs=required"
    assert json.loads(result.stdout) == [one, one, one, two], result.stderr


def test_celery_connects_to_a_valkey_url() -> None:
    """Kind: a setting that is mended for one reader; Celery reads the environment by itself."""
    address = str(settings.CACHES["default"]["LOCATION"]).partition("://")[2]
    code = (
        "from config.celery import app\n"
        "for connection in app.connection_for_read(), app.connection_for_write():\n"
        "    with connection:\n"
        "        connection.ensure_connection(max_retries=1, timeout=5)\n"
        "        print(connection.transport_cls)"
    )
    environment = {"PYTHONPATH": "project", "DJANGO_SETTINGS_MODULE": "config.settings.dev"}

    result = run("-c", code, CELERY_BROKER_URL=f"valkey://{address}", **environment)

    assert result.stdout.split() == ["redis", "redis"], result.stderr


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        ("broker", "amqp://site:secret@rabbitmq//", "amqp://site:secret@rabbitmq//"),
        ("broker", "amqps://u:p%2F@r:5671/site", "amqps://u:p%2F@r:5671/site"),
        ("broker", "amqp://a//;valkey://b/1", "amqp://a//;redis://b/1"),
        ("broker", "amqp://[::1]:5672", "amqp://[::1]:5672"),
        ("memcached", "memcached://127.0.0.1:11211", ["127.0.0.1:11211"]),
        ("memcached", "memcached://one,two:11212/", ["one:11211", "two:11212"]),
        ("memcached", "memcached://[::1]:11211", ["[::1]:11211"]),
        ("memcached", "memcached:///run/m/m.sock", ["/run/m/m.sock"]),
        ("memcached", "memcached://unix:/run/m.sock", ["/run/m.sock"]),
        ("memcached", "", []),
        ("site_url", "https://Site.Example:443/", "https://site.example"),
        ("site_url", "http://localhost:8000", "http://localhost:8000"),
        ("site_url", "https://[::1]:8443", "https://[::1]:8443"),
        ("site_url", "https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("site_url", "https://Site.Example.", "https://site.example"),
    ],
)
def test_usual_forms_of_other_urls_are_accepted(
    monkeypatch: pytest.MonkeyPatch, kind: str, url: str, expected: object
) -> None:
    """Kind: a usual form of a URL that is misread or refused."""
    assert read(kind, url, monkeypatch) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail", ("mail", 25, "", "", False, False)),
        ("smtp+tls://mail", ("mail", 587, "", "", True, False)),
        ("smtp+ssl://mail/", ("mail", 465, "", "", False, True)),
        (
            "smtp+tls://ada+news%40site.example:p%2Fw+%23@mail:2525",
            ("mail", 2525, "ada+news@site.example", "p/w+#", True, False),
        ),
    ],
)
def test_usual_forms_of_smtp_urls_are_accepted(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[object, ...]
) -> None:
    """Kind: a user or password that reaches the server changed."""
    config = read("email", url, monkeypatch)

    keys = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    assert tuple(config[f"EMAIL_{key}"] for key in keys) == expected


@pytest.mark.parametrize(
    "host", ["site.example", ".Site.example", "localhost", "10.1.2.3", "[::1]", "xn--bcher-kva.de"]
)
def test_usual_forms_of_allowed_hosts_are_accepted(host: str) -> None:
    assert service_urls.allowed_host(NAME, host) == host
    assert validate_host(host.strip(".").lower(), [host])


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("::1", "in brackets, as in [::1]"),
        ("bücher.example", "as in xn--bcher-kva.example"),
        ("a_b.example", "names without an _"),
        ("https://site.example", "without https://"),
        ("site.example:443", "without https://, a port"),
        ("[::1]:443", "without https://, a port"),
        ("site.example.", "a dot at the end"),
        ("a..example", "such as site.example"),
        ("-a.example", "such as site.example"),
        ("*.site.example", "or .site.example for it"),
        ("[site]", "such as site.example"),
    ],
)
def test_remedy_fits_the_host_that_is_not_allowed(host: str, remedy: str) -> None:
    """Kind: a remedy for another mistake than the one that was made."""
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} must list ") as refused:
        service_urls.allowed_host(NAME, host)
    assert remedy in str(refused.value)


@pytest.mark.parametrize("kind", PATTERNS)
@pytest.mark.parametrize(
    ("character", "code"),
    [("#", "%23"), ("?", "%3F"), ("/", "%2F"), ("[", "%5B"), ("]", "%5D"), ("@", "%40")],
)
@pytest.mark.parametrize("before", ["hid", "12", ""])
def test_raw_character_in_a_password_gets_its_percent_code(
    monkeypatch: pytest.MonkeyPatch, kind: str, character: str, code: str, before: str
) -> None:
    """Kind: a password that cuts its URL in two."""
    url = PATTERNS[kind].format(f"ada:{before}{character}secret")

    sentence = error_of(kind, url, monkeypatch)

    assert f"write {code} for {character}" in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize("kind", PATTERNS)
@pytest.mark.parametrize(
    ("password", "remedy"),
    [
        ("50%off", "write %25 for %"),
        ("se cret", "write a space as %20"),
        ("se\ncret", "a line break as %0A"),
        ("secret%00", "encode it as UTF-8"),
        ("secret%FF", "encode it as UTF-8"),
    ],
)
def test_password_that_would_be_misread_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: str, password: str, remedy: str
) -> None:
    """Kind: a character that a parser drops or replaces."""
    sentence = error_of(kind, PATTERNS[kind].format(f"ada:{password}"), monkeypatch)

    assert remedy in sentence
    assert not re.search("secret|off", sentence)


@pytest.mark.parametrize(
    ("kind", "url", "remedy"),
    [
        ("database", "secret", "must look like postgres://user:password@host:5432/database"),
        ("database", "mysql://ada:secret@db/kit", "must look like postgres://"),
        ("database", "postgres:/ada:secret@db/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@db:0/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@db:65536/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@db:5432:1/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@::1/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@[1::2::3]/kit", "must look like postgres://"),
        ("database", "postgres://ada:secret@db/kit?port=secret", "must look like postgres://"),
        ("database", "postgres://ada:secret@db", "must end in /database"),
        ("database", "postgres://ada:secret@db/", "must end in /database"),
        ("database", "postgres://ada:secret@/kit", "?host=/run/postgresql"),
        ("database", "postgres://ada:secret@/run/postgresql/kit", "?host=/run/postgresql"),
        ("database", "postgres://db/run/postgresql/kit", "?host=/run/postgresql"),
        ("database", "postgres://db/kit?sslmod=secret", "did you mean sslmode?"),
        ("database", "postgres://db/kit?secret=secret", "remove it"),
        ("database", "postgres://db/kit?sslmode", "remove it"),
        ("database", "postgres://db/kit?sslmode=secret", "invalid value of sslmode"),
        ("database", "postgres://db/kit?connect_timeout=secret", "value of connect_timeout"),
        ("database", "postgres://db/kit?connect_timeout=-", "invalid value of connect_timeout"),
        ("database", "postgres://db/kit?connect_timeout=", "invalid value of connect_timeout"),
        ("database", "postgres://db/kit?keepalives=٣", "invalid value of keepalives"),
        ("database", "postgres://db/kit?tcp_user_timeout=12345678901", "of tcp_user_timeout"),
        ("database", "postgres://db/kit?hostaddr=secret", "invalid value of hostaddr"),
        ("database", "postgres:///kit?hostaddr=10.1.2.3,secret", "invalid value of hostaddr"),
        ("database", "postgres://db:٥٤٣٢/kit", "must look like postgres://"),
        ("database", "postgres://db/kit?port=٥٤٣٢", "must look like postgres://"),
        ("valkey", "redis://valkey:٦٣٧٩/0", "must look like redis://"),
        ("valkey", "redis://valkey/٣", "must end in the number of a database"),
        ("site_url", "https://site.example:٤٤٣", "must look like https://site.example"),
        ("database", "postgres://db/kit?target_session_attrs=secret", "of target_session_attrs"),
        ("valkey", "rediss://valkey/0?ssl_cert_reqs=CERT_SECRET", "none, optional or required"),
        ("valkey", "redis://valkey/0?protocol=9", "protocol after its ?: it must be 2 or 3"),
        ("valkey", "redis://valkey/0?decode_responses=true", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?credential_provider=secret", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?retry=1", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?redis_connect_func=secret", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?socket_type=9", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?d%62=1", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?socket_timout=1", "did you mean socket_timeout?"),
        ("valkey", "redis://valkey/0?client_name=a%20secret", "without spaces"),
        ("valkey", "redis://valkey/0?client_name=a+secret", "without spaces"),
        ("valkey", "redis://valkey/0?socket_connect_timeout=0", "a number of seconds above 0"),
        ("valkey", "redis://valkey/0?socket_timeout=nan", "a number of seconds above 0"),
        ("valkey", "redis://valkey/0?socket_timeout=", "a number of seconds above 0"),
        ("valkey", "redis://valkey/0?socket_timeout", "a number of seconds above 0"),
        ("valkey", "redis://valkey/0?max_connections=0", "a whole number of at least 1"),
        ("valkey", "redis://valkey/0?db=-1", "a whole number"),
        ("valkey", "redis://valkey/0?socket_keepalive=secret", "true or false"),
        ("broker", "rediss://valkey/0?ssl_check_hostname=0", "true or false"),
        ("broker", "rediss://valkey/0?ssl_cert_reqs=cert_none", "none, optional or required"),
        ("valkey", "redis://valkey/0?db=1&db=2", "the option db twice"),
        ("valkey", "rediss://valkey/0?ssl_ciphers=secret", "ciphers that OpenSSL knows"),
        ("valkey", "unix:///run/valkey.sock?socket_keepalive=true", "invalid option after its ?"),
        ("broker", "redis://valkey/0?ssl=true", "must have no options after its ?"),
        ("broker", "redis://valkey/0?credential_provider=secret", "must have no options"),
        ("broker", "unix:///run/valkey.sock?socket_timeout=3", "invalid option after its ?"),
        ("broker", "amqp://r//?connect_timeout=3", "invalid option after its ?"),
        ("broker", "amqps://r//?ssl_ca_certs=/secret.pem", "invalid option after its ?"),
        ("broker", "amqp://r//?heartbeat=-", "heartbeat after its ?: it must be a whole number"),
        ("broker", "amqp://r//?login_method=secret", "PLAIN, AMQPLAIN or EXTERNAL"),
        ("broker", "amqp://a//;redis://b/1?retry=1", "must have no options after its ?"),
        ("site_url", "https://my_secret.example", "letters, digits, - and . only"),
        ("valkey", "valkey", "must look like redis://host:6379/0 (or rediss://, valkey://"),
        ("valkey", "http://secret@valkey", "must look like redis://host:6379/0"),
        ("valkey", "redis://:secret@", "must look like redis://host:6379/0"),
        ("valkey", "redis://:secret@a,b/0", "must look like redis://host:6379/0"),
        ("valkey", "redis://valkey:port/0", "must look like redis://host:6379/0"),
        ("valkey", "redis://valkey/secret", "must end in the number of a database"),
        ("valkey", "redis://valkey/0/1", "must end in the number of a database"),
        ("valkey", "redis://valkey/0?secret=1", "invalid option after its ?"),
        ("valkey", "redis://valkey/0?ssl_cert_reqs=none", "invalid option after its ?"),
        ("valkey", "unix://valkey/valkey.sock", "unix:///run/valkey/valkey.sock"),
        ("valkey", "unix:///run/valkey.sock?secret=1", "invalid option after its ?"),
        ("broker", "http://secret@x", "must look like amqp://user:password@host:5672//"),
        ("broker", "amqp://ada:secret@", "must look like amqp://"),
        ("broker", "amqp://ada:secret@r;r2", "as in amqp://one;amqp://two"),
        ("broker", "amqp://ada:sec;ret@r//", "write %3B for ;"),
        ("broker", "amqp://ada:secret@r:99999//", "must look like amqp://"),
        ("broker", "amqp://ada:secret@r//;", "as in amqp://one;amqp://two"),
        ("broker", "amqp://r//?secret=1", "invalid option after its ?"),
        ("broker", "valkey://valkey/tasks", "must end in the number of a database"),
        ("broker", "rediss://valkey/0?ssl_cert_reqs=secret", "none, optional or required"),
        ("broker", "unix:///run/valkey.sock?secret=1", "invalid option after its ?"),
        ("memcached", "memcached", "must look like memcached://host:11211"),
        ("memcached", "memcached://", "must look like memcached://host:11211"),
        ("memcached", "memcached://one,,two", "must look like memcached://host:11211"),
        ("memcached", "memcached://one/0", "must look like memcached://host:11211"),
        ("memcached", "memcached://one?secret=1", "must look like memcached://host:11211"),
        ("memcached", "memcached://one:port", "must look like memcached://host:11211"),
        ("memcached", "memcached://ada:secret@one", "must not contain a user or a password"),
        ("email", "mail.example", "must look like smtp+tls://user:password@host:587"),
        ("email", "smtps://ada:secret@mail", "must look like smtp+tls://"),
        ("email", "smtp+tls://ada:secret@", "must look like smtp+tls://"),
        ("email", "smtp+tls://ada@mail", "both a user and a password"),
        ("email", "smtp+tls://:secret@mail", "both a user and a password"),
        ("email", "smtp+tls://mail/secret", "must end after the host and port"),
        ("email", "smtp+tls://mail?secret=1", "must end after the host and port"),
        ("site_url", "site.example", "must look like https://site.example"),
        ("site_url", "ftp://site.example", "must look like https://site.example"),
        ("site_url", "https://", "must look like https://site.example"),
        ("site_url", "https://site.example/app", "a host name of its own"),
        ("site_url", "https://site.example//", "a host name of its own"),
        ("site_url", "https://site.example?secret=1", "a host name of its own"),
        ("site_url", "https://ada:secret@site.example", "a host name of its own"),
        ("site_url", "https://a,b", "must look like https://site.example"),
        ("site_url", "https://bücher.example", "xn--bcher-kva.example"),
        ("site_url", "https://secret..", "letters, digits, - and . only"),
        ("site_url", "https://a..secret", "letters, digits, - and . only"),
        ("site_url", "https://.secret", "letters, digits, - and . only"),
        ("site_url", "https://-secret.example", "letters, digits, - and . only"),
        ("site_url", "https://secret-.example", "letters, digits, - and . only"),
        ("site_url", f"https://{'secret' * 11}.example", "letters, digits, - and . only"),
        ("site_url", "https://secret.1", "letters, digits, - and . only"),
    ],
)
def test_malformed_url_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, kind: str, url: str, remedy: str
) -> None:
    """Kind: a malformed URL that fails later, elsewhere, or by showing its password."""
    sentence = error_of(kind, url, monkeypatch)

    assert remedy in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    ("kind", "schemes"),
    [
        ("database", ["postgres", "postgresql"]),
        ("valkey", list(VALKEY_SCHEMES)),
        ("broker", ["amqp", "amqps", *VALKEY_SCHEMES]),
        ("memcached", ["memcached"]),
        ("email", ["smtp", "smtp+tls", "smtp+ssl"]),
        ("site_url", ["http", "https"]),
    ],
)
def test_malformed_url_names_each_form_once(
    monkeypatch: pytest.MonkeyPatch, kind: str, schemes: list[str]
) -> None:
    sentence = error_of(kind, "nothing", monkeypatch)

    assert sorted(re.findall(r"([a-z+]+)://", sentence)) == sorted(schemes)


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        *(
            pytest.param(name, marks=pytest.mark.long("starts a process for another setting"))
            for name in ("VALKEY_URL", "CELERY_BROKER_URL", "MEMCACHED_URL", "EMAIL_URL")
        ),
    ],
)
def test_each_setting_is_parsed_when_the_settings_load(name: str) -> None:
    """Kind: a malformed URL that is noticed at the first use instead of at the start."""
    result = run("project/manage.py", "check", **{name: "secret://ada:se#cret@host"})

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {name} ")
    assert result.stderr.count("\n") == 1
    assert "cret" not in result.stderr
