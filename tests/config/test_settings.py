"""The settings modules, loaded as a server would load them."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver, resolve

from config import env, mail_providers
from config.settings.parts.http import TAKEN_PATHS
from dovetail.devtools.stack.ports import DISTANCES
from tests.processes import bare_environment

PRODUCTION_MODULE = "config.settings.production"
MORE = pytest.mark.long("starts a process for another value")
STRONG = "mN7_" * 16 + "ijklmnop"
PRODUCTION = {
    "SECRET_KEY": "kX9-" * 16 + "abcdefgh",
    "ALLOWED_HOSTS": "site.example",
    "SITE_URL": "https://site.example",
    "DATABASE_URL": "postgres://site:secret@db/site",
    "VALKEY_URL": "redis://:secret@valkey:6379/0",
    "CELERY_BROKER_URL": "amqp://site:secret@rabbitmq//",
    "EMAIL_URL": "smtp+tls://user:secret@mail:587",
    "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=env.BASE_DIR,
        env=bare_environment() | {"ENV_FILE": os.devnull} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check_production(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = PRODUCTION | {"DJANGO_SETTINGS_MODULE": PRODUCTION_MODULE} | changes
    present = {name: value for name, value in environment.items() if value}
    return run("project/manage.py", "check", "--deploy", "--fail-level", "WARNING", **present)


def names_read_by(module: str, **environment: str) -> set[str]:
    code = (
        f"import json, {module}; from config import env; print(json.dumps(sorted(env.names_read)))"
    )
    result = run("-c", code, PYTHONPATH="project", **environment)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def test_deployment_check_is_clean(tmp_path: Path) -> None:
    result = check_production(TRUSTED_PROXY_COUNT="1", DATA_DIR=str(tmp_path))

    # A checkout contains neither the built front end nor collected files; tests/production checks
    # the files of the image, which contain both.
    files = {"django_vite.W001", "dovetail.E101", "dovetail.W105"}
    # These services do not exist.
    services = {"dovetail.W114", "dovetail.W119", "dovetail.W120"}
    issues = set(re.findall(r"\((\w+\.[EW]\d+)\)", result.stderr))
    assert issues - files == services, result.stderr


def test_deployment_check_names_what_the_settings_leave_out() -> None:
    """Kind: defaults that are valid, and cannot work behind a proxy or keep what is uploaded."""
    result = check_production()

    assert "TRUSTED_PROXY_COUNT is 0" in result.stderr
    assert "Set TRUSTED_PROXY_COUNT to the number of proxies" in result.stderr
    assert "Set DATA_DIR to a folder on a volume" in result.stderr


@MORE
def test_server_that_ends_tls_itself_needs_no_proxy() -> None:
    certificate = {"GRANIAN_SSL_CERTIFICATE": "/etc/certificate.pem"}
    result = check_production(**certificate, GRANIAN_SSL_KEYFILE="/etc/key.pem")

    assert "TRUSTED_PROXY_COUNT" not in result.stderr
    assert "GRANIAN_SSL_KEYFILE must be set together" in check_production(**certificate).stderr


def test_missing_setting_is_reported_in_one_line() -> None:
    result = check_production(SECRET_KEY="")

    assert result.returncode == 1
    assert result.stderr.startswith("error: SECRET_KEY is not set.")
    assert result.stderr.count("\n") == 1


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Return a function that reimports the production settings with a changed environment."""

    def load(**changes: str) -> ModuleType:
        for name in env.names_in(env.BASE_DIR / ".env.example"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (PRODUCTION | changes).items():
            if value:
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(env, "_defaults", {})
        for module in list(sys.modules):
            if module.startswith(
                ("config.settings.parts", "config.settings.base", PRODUCTION_MODULE)
            ):
                monkeypatch.delitem(sys.modules, module)
        return importlib.import_module(PRODUCTION_MODULE)

    return load


def test_sender_is_one_line(load: Callable[..., ModuleType]) -> None:
    """Kind: a setting that is valid, and with which no mail can be made."""
    with pytest.raises(ImproperlyConfigured, match=r"^DEFAULT_FROM_EMAIL contains a line break"):
        load(DEFAULT_FROM_EMAIL="Site\n<hello@site.example>")


def test_secret_key_may_have_lines(load: Callable[..., ModuleType]) -> None:
    """Such as what `openssl rand -base64 64` writes."""
    key = f"{STRONG}\n{STRONG}"

    production = load(SECRET_KEY=key, SECRET_KEY_FALLBACKS=f"{key}x,\n{key}y")

    found = [production.SECRET_KEY, *production.SECRET_KEY_FALLBACKS]
    assert found == [key, f"{key}x", f"{key}y"]


def test_value_that_is_not_utf_8_is_reported_in_one_line() -> None:
    result = check_production(DATABASE_URL="postgres://u:\udcff@h/d")

    assert result.stderr == "error: DATABASE_URL is not UTF-8 text: encode it as UTF-8.\n"


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_requires_the_setting(load: Callable[..., ModuleType], name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not set\."):
        load(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DEBUG", "true", "DEBUG must be off in production"),
        ("DEBUG", "maybe", "DEBUG must be true or false"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must list the host names"),
        ("ALLOWED_HOSTS", "https://site.example", "ALLOWED_HOSTS must list host names without"),
        ("ALLOWED_HOSTS", "site.example,site.example:443", "ALLOWED_HOSTS must list host names"),
        ("ALLOWED_HOSTS", "site.example,*.site.example", "ALLOWED_HOSTS must list host names"),
        (
            "ALLOWED_HOSTS",
            "site.example,other.example.",
            "ALLOWED_HOSTS must list host names without",
        ),
        ("ALLOWED_HOSTS", "other.example", "ALLOWED_HOSTS must contain the host of SITE_URL"),
        ("SITE_URL", "https://www.site.example", "ALLOWED_HOSTS must contain the host of SITE"),
        ("VITE_DEV_SERVER", "true", "VITE_DEV_SERVER must be off in production"),
        ("SECRET_KEY", "short", "SECRET_KEY is too weak"),
        ("SECRET_KEY_FALLBACKS", "guess-me", "Key 1 of SECRET_KEY_FALLBACKS is too weak"),
        ("SECRET_KEY_FALLBACKS", f"{STRONG},guess-me", "Key 2 of SECRET_KEY_FALLBACKS is too weak"),
        ("SECRET_KEY_FALLBACKS", "a" * 60, "Key 1 of SECRET_KEY_FALLBACKS is too weak"),
        ("SECRET_KEY_FALLBACKS", f"django-insecure-{STRONG}", "Key 1 of SECRET_KEY_FALLBACKS is"),
        ("JWT_PRIVATE_KEY", "short", "JWT_PRIVATE_KEY is too weak"),
        ("JWT_PRIVATE_KEY", "a" * 60, "JWT_PRIVATE_KEY is too weak"),
        ("JWT_PRIVATE_KEY", PRODUCTION["SECRET_KEY"], "JWT_PRIVATE_KEY is too weak"),
        ("ADMIN_PATH", "Back Office", "ADMIN_PATH must be a path such as admin/"),
        ("ADMIN_PATH", "../admin", "ADMIN_PATH must be a path such as admin/"),
        ("ADMIN_PATH", "<str:x>/", "ADMIN_PATH must be a path such as admin/"),
        ("ADMIN_PATH", "/", "ADMIN_PATH must be a path such as admin/"),
        ("ADMIN_PATH", "articles/admin", "ADMIN_PATH starts with a part that other pages have"),
        ("ADMIN_PATH", "static", "ADMIN_PATH starts with a part that other pages have"),
        ("OUTGOING_PRIVATE_HOSTS", "https://login.internal", "OUTGOING_PRIVATE_HOSTS must list"),
        ("OUTGOING_PRIVATE_HOSTS", "*.internal", "OUTGOING_PRIVATE_HOSTS must list names of"),
        ("OUTGOING_PRIVATE_HOSTS", "10.1.2.3/8", "OUTGOING_PRIVATE_HOSTS must list names of"),
        ("OUTGOING_PRIVATE_HOSTS", "127.1", "OUTGOING_PRIVATE_HOSTS must list names of"),
        ("OUTGOING_PRIVATE_HOSTS", "login:8443", "OUTGOING_PRIVATE_HOSTS must list names of"),
        ("CSP_REPORT_URL", "http://reports.example/", "CSP_REPORT_URL is malformed"),
        ("CSP_REPORT_URL", "https://reports.example/; script-src *", "CSP_REPORT_URL contains a"),
        ("CSP_REPORT_URL", "https://reports.example/;script-src", "CSP_REPORT_URL contains a"),
        ("CSP_REPORT_URL", 'https://reports.example/"', "CSP_REPORT_URL contains a character"),
        ("CSP_REPORT_URL", "https://reports.example/é", "CSP_REPORT_URL contains a character"),
        ("SITE_URL", "http://site.example", "SITE_URL must start with https://"),
        ("DATABASE_URL", "mysql://db/x", "DATABASE_URL is malformed"),
        ("VALKEY_URL", "valkey", "VALKEY_URL is malformed"),
        ("CELERY_BROKER_URL", "http://x", "CELERY_BROKER_URL is malformed"),
        ("VALKEY_URL", "redis://valkey:6379/0", "VALKEY_URL names a server on another host wi"),
        ("CELERY_BROKER_URL", "amqp://rabbitmq", "CELERY_BROKER_URL names a server on another "),
        ("CELERY_BROKER_URL", "amqp://guest:guest@rabbitmq", "CELERY_BROKER_URL names RabbitMQ "),
        ("MEMCACHED_URL", "memcached://memcached", "MEMCACHED_URL names memcached on another ho"),
        ("ALLOW_UNAUTHENTICATED_SERVICES", "some", "ALLOW_UNAUTHENTICATED_SERVICES must be true"),
        ("EMAIL_PROVIDER", "postmark", "EMAIL_PROVIDER and EMAIL_URL are both set"),
        ("EMAIL_PROVIDER", "postmrak", "EMAIL_PROVIDER names no provider that is known. Did you "),
        ("EMAIL_URL", "mail.example", "EMAIL_URL is malformed"),
        ("EMAIL_URL", "mailbox", "EMAIL_URL is malformed"),
        ("EMAIL_URL", "smtp://mail.example", "EMAIL_URL would send mail"),
        ("EMAIL_URL", "smtp://ada:secret@10.0.0.1:25", "EMAIL_URL would send mail"),
        ("EMAIL_URL", "smtp://localhost.example", "EMAIL_URL would send mail"),
        ("EMAIL_URL", "smtp://127.0.0.1.example", "EMAIL_URL would send mail"),
        ("EMAIL_URL", "smtp://[2001:db8::1]", "EMAIL_URL would send mail"),
        ("EMAIL_URL", "smtp://0.0.0.0", "EMAIL_URL would send mail"),
        ("SECURITY_CONTACT", "security@site.example", "SECURITY_CONTACT must list URLs"),
        ("TRUSTED_PROXY_COUNT", "one", "TRUSTED_PROXY_COUNT must be a whole number"),
        ("CORS_ALLOWED_ORIGINS", "*", "CORS_ALLOWED_ORIGINS is malformed: it must look like https"),
        ("CORS_ALLOWED_ORIGINS", "null", "CORS_ALLOWED_ORIGINS is malformed"),
        ("CORS_ALLOWED_ORIGINS", "app.example", "CORS_ALLOWED_ORIGINS is malformed"),
        ("CORS_ALLOWED_ORIGINS", "https://*", "CORS_ALLOWED_ORIGINS is malformed"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example/", "CORS_ALLOWED_ORIGINS must list origins"),
        ("CORS_ALLOWED_ORIGINS", "https://a:b@app.example", "CORS_ALLOWED_ORIGINS must list orig"),
        ("CORS_ALLOWED_ORIGINS", "https://bücher.example", "CORS_ALLOWED_ORIGINS must list origi"),
        ("CORS_ALLOWED_ORIGINS", "http://app.example", "CORS_ALLOWED_ORIGINS names an origin wi"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://app.example,http://app.example",
            "CORS_ALLOWED_ORIGINS names an origin with http://",
        ),
        ("CORS_ALLOW_CREDENTIALS", "some", "CORS_ALLOW_CREDENTIALS must be true or false"),
        ("API_RATE_FACTOR", "0", "API_RATE_FACTOR must be a whole number of at least 1"),
        ("WEB_THREADS", "100000", "WEB_THREADS must be at most 256"),
        ("WEB_CONCURRENCY", "513", "WEB_CONCURRENCY must be at most 512"),
        ("WEB_CONNECTIONS", "9999999999", "WEB_CONNECTIONS must be at most 999999999"),
        ("WEB_DRAIN_SECONDS", "86401", "WEB_DRAIN_SECONDS must be at most 86400"),
        ("WEB_STOP_SECONDS", "86401", "WEB_STOP_SECONDS must be at most 86400"),
        ("DATABASE_WEB_TIMEOUT", "536871", "DATABASE_WEB_TIMEOUT must be at most 536870"),
        ("DATABASE_TASK_TIMEOUT", "2147484", "DATABASE_TASK_TIMEOUT must be at most 2147483"),
        ("DATABASE_MIGRATE_TIMEOUT", "2147484", "DATABASE_MIGRATE_TIMEOUT must be at most 2147483"),
        ("DATABASE_POOL_SIZE", "262144", "DATABASE_POOL_SIZE must be at most 262143"),
        ("TRUSTED_PROXY_COUNT", "8080", "TRUSTED_PROXY_COUNT must be at most 32"),
        ("PAGES_CDN_SECONDS", "31536001", "PAGES_CDN_SECONDS must be at most 31536000"),
        ("VITE_PORT", "65536", "VITE_PORT must be at most 65535"),
        ("METRICS_PORT", "65536", "METRICS_PORT must be a port, from 1 to 65535"),
    ],
)
def test_production_rejects_the_value(
    load: Callable[..., ModuleType], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{re.escape(sentence)}") as refused:
        load(**{name: value})
    if name.startswith("SECRET_KEY"):
        assert not {*value.split(",")} & {*str(refused.value).split()}


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("http://127.0.0.1:8025", True),
        ("http://mail.example", False),
        ("ftp://mail.example", False),
    ],
)
def test_production_sends_mail_to_no_provider_unencrypted(
    load: Callable[..., ModuleType], url: str, *, is_accepted: bool
) -> None:
    changes = {"EMAIL_URL": "", "EMAIL_PROVIDER": "postmark", "POSTMARK_SERVER_TOKEN": "secret"}

    with (
        nullcontext() if is_accepted else pytest.raises(ImproperlyConfigured, match="POSTMARK_API")
    ):
        loaded = load(**changes, POSTMARK_API_URL=url)
        assert loaded.MAIL_TRANSPORT == "anymail.backends.postmark.EmailBackend"


def test_production_accepts_strong_previous_keys(load: Callable[..., ModuleType]) -> None:
    keys = [STRONG, STRONG.upper()]

    assert keys == load(SECRET_KEY_FALLBACKS=",".join(keys)).SECRET_KEY_FALLBACKS


def test_production_needs_no_key_for_apps(load: Callable[..., ModuleType]) -> None:
    assert not load().HEADLESS_JWT_PRIVATE_KEY
    assert STRONG == load(JWT_PRIVATE_KEY=STRONG).HEADLESS_JWT_PRIVATE_KEY


def test_production_accepts_servers_without_a_password_if_told_to(
    load: Callable[..., ModuleType],
) -> None:
    services = {
        "VALKEY_URL": "redis://valkey:6379/0",
        "CELERY_BROKER_URL": "amqp://guest:guest@rabbitmq//",
        "MEMCACHED_URL": "memcached://memcached:11211",
    }

    loaded = load(**services, ALLOW_UNAUTHENTICATED_SERVICES="true")

    assert services["VALKEY_URL"] == loaded.VALKEY_URL


@pytest.mark.parametrize("name", ["VALKEY_URL", "CELERY_BROKER_URL"])
def test_production_accepts_servers_on_this_host(
    load: Callable[..., ModuleType], name: str
) -> None:
    assert getattr(load(**{name: "redis://127.0.0.1:6379/0"}), name)


@pytest.mark.parametrize(
    ("hosts", "site"),
    [
        (".site.example", "https://www.site.example"),
        ("10.0.0.1,[::1],Site.Example", "https://site.example:8443"),
        ("[::1]", "https://[::1]"),
    ],
)
def test_production_accepts_the_hosts(
    load: Callable[..., ModuleType], hosts: str, site: str
) -> None:
    assert site == load(ALLOWED_HOSTS=hosts, SITE_URL=site).SITE_URL


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("smtp://localhost:25", ""),
        ("smtp://mail.localhost", ""),
        ("smtp://127.8.0.1", ""),
        ("smtp://[::1]:2525", ""),
        ("smtp://Mail:25", "relay.internal,mail"),
        ("smtp+tls://ada:secret@mail.example", ""),
        ("smtp+ssl://ada:secret@mail.example", ""),
    ],
)
def test_production_sends_mail_encrypted_or_to_hosts_that_are_named(
    load: Callable[..., ModuleType], url: str, allowed: str
) -> None:
    assert load(EMAIL_URL=url, EMAIL_PLAINTEXT_HOSTS=allowed).MAIL_TRANSPORT


def test_forwarded_proto_is_trusted_only_behind_a_proxy(load: Callable[..., ModuleType]) -> None:
    assert not hasattr(load(), "SECURE_PROXY_SSL_HEADER")
    assert load(TRUSTED_PROXY_COUNT="1").SECURE_PROXY_SSL_HEADER


def test_reports_go_to_the_configured_url(load: Callable[..., ModuleType]) -> None:
    settings = load(CSP_REPORT_URL="https://reports.example/csp")

    assert settings.REPORTING_ENDPOINTS == {"csp": "https://reports.example/csp"}
    assert settings.SECURE_CSP["report-to"] == ["csp"]
    assert settings.SECURE_CSP["report-uri"] == ["https://reports.example/csp"]
    assert settings.CSP_REPORTS is False

    settings = load(CSP_REPORT_URL="")
    assert settings.SECURE_CSP["report-uri"] == [f"/{resolve('/csp-reports/').route}"]
    assert settings.REPORTING_ENDPOINTS == {"csp": "/csp-reports/"}
    assert settings.CSP_REPORTS is True


def test_api_is_shared_with_no_other_site_by_default(load: Callable[..., ModuleType]) -> None:
    settings = load()

    assert settings.CORS_ALLOWED_ORIGINS == []
    assert not [name for name in settings.MIDDLEWARE if "cors" in name]
    assert "corsheaders" not in settings.INSTALLED_APPS


def test_api_is_shared_with_the_sites_that_are_named(load: Callable[..., ModuleType]) -> None:
    settings = load(CORS_ALLOWED_ORIGINS="https://App.example:443, http://localhost:5173")

    assert settings.CORS_ALLOWED_ORIGINS == ["https://app.example", "http://localhost:5173"]
    assert not settings.CORS_ALLOW_CREDENTIALS
    assert "corsheaders" in settings.INSTALLED_APPS
    order = [name.rpartition(".")[2] for name in settings.MIDDLEWARE]
    assert order.index("CorsMiddleware") < order.index("ProblemMiddleware")


def test_limits_of_the_api_grow_by_a_setting(load: Callable[..., ModuleType]) -> None:
    assert load(API_RATE_FACTOR="10").API_RATES["read"]["person"] == (
        10 * load().API_RATES["read"]["person"]
    )


YEAR = str(365 * 24 * 3600)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (3600, False, False)),
        ({"HSTS_SECONDS": "0"}, (0, False, False)),
        ({"HSTS_SECONDS": "60", "HSTS_INCLUDE_SUBDOMAINS": "true"}, (60, True, False)),
        (
            {"HSTS_SECONDS": YEAR, "HSTS_INCLUDE_SUBDOMAINS": "true", "HSTS_PRELOAD": "true"},
            (int(YEAR), True, True),
        ),
    ],
)
def test_hsts_grows_by_settings(
    load: Callable[..., ModuleType], changes: dict[str, str], expected: tuple[int, bool, bool]
) -> None:
    """Kind: a default that cannot be taken back, from the first deployment."""
    settings = load(**changes)

    assert expected == (
        settings.SECURE_HSTS_SECONDS,
        settings.SECURE_HSTS_INCLUDE_SUBDOMAINS,
        settings.SECURE_HSTS_PRELOAD,
    )


def test_replica_is_off_until_it_is_set(load: Callable[..., ModuleType]) -> None:
    settings = load()
    assert list(settings.DATABASES) == ["default"]
    assert "dovetail.database.replica.ReplicaMiddleware" not in settings.MIDDLEWARE

    settings = load(
        DATABASE_REPLICA_URL="postgres://site:secret@replica/site", DATABASE_POOL_SIZE="4"
    )
    replica = settings.DATABASES["replica"]
    assert (replica["HOST"], replica["OPTIONS"]["pool"]["max_size"]) == ("replica", 4)
    assert settings.DATABASE_ROUTERS == ["dovetail.database.replica.ReplicaRouter"]
    assert "dovetail.database.replica.ReplicaMiddleware" in settings.MIDDLEWARE


@pytest.mark.parametrize("missing", ["HSTS_SECONDS", "HSTS_INCLUDE_SUBDOMAINS"])
def test_hsts_preload_that_no_browser_accepts_is_refused(
    load: Callable[..., ModuleType], missing: str
) -> None:
    changes = {"HSTS_SECONDS": YEAR, "HSTS_INCLUDE_SUBDOMAINS": "true", "HSTS_PRELOAD": "true"}

    with pytest.raises(ImproperlyConfigured, match=r"^HSTS_PRELOAD requires "):
        load(**changes | {missing: ""})


@MORE
def test_deployment_check_asks_only_for_hsts_that_is_off() -> None:
    assert "security.W004" in check_production(HSTS_SECONDS="0").stderr
    assert "security.W0" not in check_production(HSTS_SECONDS="60").stderr


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        pytest.param("\xff", marks=MORE),
        pytest.param("", marks=MORE),
        pytest.param('{"environment": 1}', marks=MORE),
    ],
)
def test_unreadable_state_of_up_is_reported_in_one_line(tmp_path: Path, content: str) -> None:
    """Kind: a file of another user, or one that was cut off."""
    (tmp_path / "up.json").write_text(content, encoding="latin-1")

    result = run("project/manage.py", "check", DATA_DIR=str(tmp_path))

    assert result.returncode == 1
    assert re.fullmatch(
        r"error: .*up\.json, .* cannot be read: .*delete the file\.\n", result.stderr
    )


def test_env_example_marks_and_explains_the_number_of_proxies() -> None:
    """Kind: a default that cannot work in the documented way to deploy."""
    text = (env.BASE_DIR / ".env.example").read_text()
    comment = re.findall(r"((?:#.*\n)*)# TRUSTED_PROXY_COUNT=", text)[0].rpartition("=\n")[2]

    assert "(production" in comment
    assert "X-Forwarded-Proto" in comment
    assert "endless loop" in comment


@pytest.mark.parametrize("module", ["config.asgi", pytest.param("config.celery", marks=MORE)])
def test_servers_and_workers_report_errors_in_one_line_too(module: str) -> None:
    result = run("-c", f"import {module}", PYTHONPATH="project")

    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        b"NAME: secret\n",
        pytest.param(b"NAME=caf\xe9\n", marks=MORE),
        pytest.param(b"\xff\xfeN\x00", marks=MORE),
    ],
)
def test_pytest_reports_errors_in_one_line_too(tmp_path: Path, text: bytes) -> None:
    """pytest-django loads the settings before any `conftest.py`."""
    file = tmp_path / ".env"
    file.write_bytes(text)

    result = run("-m", "pytest", "-n0", "tests/config", ENV_FILE=str(file))

    assert result.returncode == 1
    assert re.fullmatch(rf"error: .*{re.escape(file.name)} .*\n", result.stderr), result.stderr
    assert "secret" not in result.stdout + result.stderr


def test_tests_write_compiled_code_where_python_may_not_write_beside_the_sources() -> None:
    """Otherwise, each of their many processes compiles all of Django again."""
    code = "import config.settings.test, sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"
    change = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "", "DATA_DIR": "/data"}

    result = run("-c", code, PYTHONPATH="project", **change)

    assert result.stdout.split() == ["False", "/data/pycache"], result.stderr


def test_development_needs_no_settings_and_no_services(tmp_path: Path) -> None:
    result = run("project/manage.py", "check", DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stderr


def test_unavailable_database_is_reported_in_one_line(tmp_path: Path) -> None:
    url = "postgres://site@127.0.0.1:1/site"
    result = run("project/manage.py", "showmigrations", DATA_DIR=str(tmp_path), DATABASE_URL=url)

    assert result.returncode == 1
    assert result.stderr.startswith("error: The database is unavailable")
    assert "manage.py up" in result.stderr


def test_development_uses_the_services_of_a_running_stack(tmp_path: Path) -> None:
    url = "postgres://site:secret@127.0.0.1:9/site"
    (tmp_path / "up.json").write_text(json.dumps({"environment": {"DATABASE_URL": url}}))
    code = "from config.settings.dev import DATABASES; print(DATABASES['default']['PORT'])"

    result = run("-c", code, PYTHONPATH="project", DATA_DIR=str(tmp_path))

    assert result.stdout.strip() == "9", result.stderr


def test_env_example_lists_every_setting() -> None:
    listed = set(env.names_in(env.BASE_DIR / ".env.example")) - {"ENV_FILE"}
    read = names_read_by("config.settings.dev") | names_read_by(
        "config.settings.production", **PRODUCTION
    )

    for provider in mail_providers.PROVIDERS.values():  # of which only one is read
        read |= {"EMAIL_WEBHOOK_SECRET", *provider.names}
    # Ports of services are read by `up` and by process-compose, not by the settings.
    ports = re.findall(r"\$\{(\w+):-\d+\}", (env.BASE_DIR / "process-compose.yaml").read_text())

    assert listed == read | set(ports) | set(DISTANCES)


def test_paths_and_hosts_are_read_in_one_spelling(load: Callable[..., ModuleType]) -> None:
    settings = load(
        ADMIN_PATH="/back-office/admin", OUTGOING_PRIVATE_HOSTS="Login.Internal, 10.1.2.0/24,::1"
    )

    assert settings.ADMIN_PATH == "back-office/admin/"
    assert settings.OUTGOING_PRIVATE_HOSTS == ["login.internal", "10.1.2.0/24", "::1/128"]
    assert settings.OUTGOING_PLAIN_HTTP is False
    assert load().ADMIN_PATH == "admin/"
    assert load().OUTGOING_PRIVATE_HOSTS == []


def test_paths_that_are_taken_are_known() -> None:
    """Kind: a path of the admin that another page hides, or that hides another."""
    first = {str(pattern.pattern).partition("/")[0] for pattern in get_resolver().url_patterns}

    assert first - {"", "admin"} <= TAKEN_PATHS
