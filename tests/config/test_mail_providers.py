"""`EMAIL_PROVIDER`, its settings, and where the provider reports bounces."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection
from django.utils.module_loading import import_string
from pytest_django.fixtures import Settings

from config import env, mail_providers
from config.mail_providers import PROVIDERS, PUBLIC_KEYS
from dovetail.mail.errors import MailUnconfirmedError
from dovetail.mail.transport import send
from tests.dovetail.mail.provider import serve

# Of SendGrid, which gives no free accounts to test with any more.
pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
Set = Callable[..., None]
URL = "https://api.example/"
SECRET = "events:a-long-random-password"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Return a function that sets settings, of which there are no others."""
    for name in env.names_in(env.BASE_DIR / ".env.example"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(env, "_defaults", {})

    def setter(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return setter


def encoded(key: Any) -> str:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


RSA_KEY = encoded(rsa.generate_private_key(public_exponent=65537, key_size=2048))
EC_KEY = encoded(ec.generate_private_key(ec.SECP256R1()))
POSTAL_KEY, SENDGRID_KEY = PUBLIC_KEYS
KEYS = {POSTAL_KEY: RSA_KEY, SENDGRID_KEY: EC_KEY}


def values(names: tuple[str, ...]) -> dict[str, str]:
    return {name: URL if name.endswith("_URL") else KEYS.get(name, "secret") for name in names}


@pytest.mark.parametrize("name", PROVIDERS)
def test_required_settings_are_enough_to_send(
    environment: Set, settings: Settings, name: str
) -> None:
    """Kind: a setting that anymail wants, and that the table lacks."""
    provider = mail_providers.find(name)
    environment(**values(provider.required))
    if name == "amazon-ses":  # otherwise boto3 asks the machine for its role
        environment(**values(mail_providers.SES_NAMES))

    settings.ANYMAIL = mail_providers.anymail_settings(provider)

    with get_connection(f"anymail.backends.{provider.module}.EmailBackend") as connection:
        assert connection.fail_silently is False


@pytest.mark.parametrize(
    ("name", "missing"),
    [(name, missing) for name, provider in PROVIDERS.items() for missing in provider.required],
)
def test_missing_setting_is_named(environment: Set, name: str, missing: str) -> None:
    provider = PROVIDERS[name]
    environment(**values(tuple({*provider.required} - {missing})))

    with pytest.raises(ImproperlyConfigured, match=rf"^{missing} is not set\."):
        mail_providers.anymail_settings(provider)


def test_one_key_of_two_is_refused(environment: Set) -> None:
    environment(AMAZON_SES_REGION="eu-central-1", AMAZON_SES_ACCESS_KEY_ID="key")

    with pytest.raises(ImproperlyConfigured, match=r"^Only one of AMAZON_SES_ACCESS_KEY_ID and"):
        mail_providers.anymail_settings(PROVIDERS["amazon-ses"])


def test_amazon_ses_gets_one_copy_at_a_time(environment: Set, settings: Settings) -> None:
    """Kind: a client that sends again by itself; the task decides how many copies there may be."""
    environment(**values(("AMAZON_SES_REGION", *mail_providers.SES_NAMES)))
    settings.ANYMAIL = mail_providers.anymail_settings(PROVIDERS["amazon-ses"])
    settings.MAIL_TRANSPORT = "anymail.backends.amazon_ses.EmailBackend"
    with serve((0, None)) as api:
        settings.ANYMAIL["AMAZON_SES_CLIENT_PARAMS"]["endpoint_url"] = api.url
        with pytest.raises(MailUnconfirmedError):
            send(EmailMessage("Hello", "", "us@site.example", ["ada@example.org"]))

    assert len(api.requests) == 1


@pytest.mark.parametrize("name", [name for name, found in PROVIDERS.items() if found.webhook])
def test_reports_are_taken_only_if_forged_ones_are_recognized(
    environment: Set, settings: Settings, name: str
) -> None:
    provider = PROVIDERS[name]
    assert mail_providers.webhook(provider, {}) == ""
    expected = provider.signing_key if provider.must_sign else "EMAIL_WEBHOOK_SECRET"
    assert provider.reports_need == expected

    environment(EMAIL_WEBHOOK_SECRET=SECRET, **values(provider.required))
    if provider.must_sign:
        assert mail_providers.webhook(provider, {}) == ""
        environment(**values((provider.signing_key,)))
    settings.ANYMAIL = mail_providers.anymail_settings(provider)
    path = mail_providers.webhook(provider, settings.ANYMAIL)

    assert import_string(path)().basic_auth == [SECRET]


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, found.signing_key) for name, found in PROVIDERS.items() if found.signing_key],
)
def test_signature_is_enough(environment: Set, settings: Settings, name: str, key: str) -> None:
    """Kind: a key by another name than anymail's, which would warn of an open webhook."""
    provider = PROVIDERS[name]
    environment(**values((*provider.required, key)))

    settings.ANYMAIL = mail_providers.anymail_settings(provider)
    path = mail_providers.webhook(provider, settings.ANYMAIL)

    assert import_string(path)()


@pytest.mark.parametrize(
    ("name", "setting", "value", "remedy"),
    [
        ("sendgrid", SENDGRID_KEY, "notakey", "only Base64"),
        ("sendgrid", SENDGRID_KEY, "ü", "only Base64"),
        ("sendgrid", SENDGRID_KEY, RSA_KEY, "the public EC key"),
        ("sendgrid", SENDGRID_KEY, EC_KEY[:-8], "only Base64"),
        ("postal", POSTAL_KEY, "zz", "only Base64"),
        ("postal", POSTAL_KEY, EC_KEY, "the public RSA key"),
        ("amazon-ses", "AMAZON_SES_REGION", "eu central", "the name of a region"),
        ("amazon-ses", "AMAZON_SES_REGION", "https://x", "the name of a region"),
        ("amazon-ses", "AMAZON_SES_REGION", "ü", "the name of a region"),
        ("scaleway", "SCALEWAY_REGION", "fr/par", "the name of a region"),
        ("mailgun", "MAILGUN_API_URL", "https://api.example/v3?key=secret", "must have no user"),
        ("mailgun", "MAILGUN_API_URL", "https://api.example/v3?", "must have no user"),
        ("mailgun", "MAILGUN_API_URL", "https://ada:secret@api.example", "must have no user"),
        ("postal", "POSTAL_API_URL", "postal.example", "must look like https://"),
    ],
)
def test_malformed_setting_is_named(
    environment: Set, name: str, setting: str, value: str, remedy: str
) -> None:
    """Kind: a setting with which the site starts, and sends no mail or refuses all reports."""
    provider = PROVIDERS[name]
    environment(**values(provider.required) | {setting: value})

    with pytest.raises(ImproperlyConfigured, match=f"^{setting} ") as refused:
        mail_providers.anymail_settings(provider)
    assert remedy in str(refused.value)
    assert "secret" not in str(refused.value)


def test_url_of_reports_may_contain_the_secret(environment: Set) -> None:
    """Mandrill signs its reports with it."""
    url = f"https://{SECRET}@site.example/mail/events/"
    environment(MANDRILL_API_KEY="key", MANDRILL_WEBHOOK_URL=url)

    found = mail_providers.anymail_settings(PROVIDERS["mandrill"])

    assert found["MANDRILL_WEBHOOK_URL"] == url


def test_provider_without_reports_needs_nothing_for_them() -> None:
    assert PROVIDERS["scaleway"].reports_need == ""


@pytest.mark.parametrize("secret", ["short:secret", "a-long-random-password-alone", f"{SECRET},x"])
def test_weak_secret_is_refused(environment: Set, secret: str) -> None:
    environment(EMAIL_WEBHOOK_SECRET=secret)

    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_WEBHOOK_SECRET must be") as refused:
        mail_providers.webhook(PROVIDERS["postmark"], {})
    assert secret not in str(refused.value)


@pytest.mark.parametrize("name", PUBLIC_KEYS)
def test_key_may_be_wrapped(environment: Set, name: str) -> None:
    """Kind: a key in several lines, as providers and tools show it."""
    provider = next(one for one in PROVIDERS.values() if name in one.names)
    wrapped = "\n".join(KEYS[name][at : at + 64] for at in range(0, len(KEYS[name]), 64))
    environment(**values(provider.required) | {name: f"{wrapped}\n"})

    found = mail_providers.anymail_settings(provider)

    assert found[name] == KEYS[name]
