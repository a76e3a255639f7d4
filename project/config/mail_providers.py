"""The providers of mail that `EMAIL_PROVIDER` may name, and what each of them needs.

The names of their settings are those of django-anymail, which sends through their APIs:
https://anymail.dev/en/stable/esps/. SendGrid is among them, although anymail no longer tests it.
"""

import binascii
import difflib
import importlib.util
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.s3 import REGION
from config.url_parts import with_host

# Keys that reports are verified with, in the form in which the provider shows them, and their kind.
PUBLIC_KEYS = {
    "POSTAL_WEBHOOK_KEY": "RSA",
    "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": "EC",
}
SES_NAMES = ("AMAZON_SES_ACCESS_KEY_ID", "AMAZON_SES_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Provider:
    """A provider of mail.

    Attributes:
        module: of `anymail.backends` and `anymail.webhooks`.
        required: the settings without which no mail can be sent.
        optional: further settings.
        webhook: anymail's view for reports of bounces; empty if there is none.
        signing_key: the setting with the key that the provider signs its reports with; empty if it
            signs none, or anymail does not check it.
        must_sign: whether reports are refused without that key.
    """

    module: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    webhook: str = ""
    signing_key: str = ""
    must_sign: bool = False

    @property
    def names(self) -> list[str]:
        names = [*self.required, *self.optional, *filter(None, [self.signing_key])]
        return list(dict.fromkeys(names))

    @property
    def reports_need(self) -> str:
        """The setting by which reports are told from forged ones; empty if there are no reports."""
        if not self.webhook:
            return ""
        return self.signing_key if self.must_sign else "EMAIL_WEBHOOK_SECRET"


PROVIDERS = {
    "amazon-ses": Provider(
        module="amazon_ses",
        required=("AMAZON_SES_REGION",),
        optional=(*SES_NAMES, "AMAZON_SES_CONFIGURATION_SET_NAME"),
        webhook="AmazonSESTrackingWebhookView",
    ),
    "brevo": Provider("brevo", ("BREVO_API_KEY",), webhook="BrevoTrackingWebhookView"),
    "mailersend": Provider(
        module="mailersend",
        required=("MAILERSEND_API_TOKEN",),
        webhook="MailerSendTrackingWebhookView",
        signing_key="MAILERSEND_SIGNING_SECRET",
        must_sign=True,
    ),
    "mailgun": Provider(
        module="mailgun",
        required=("MAILGUN_API_KEY",),
        optional=("MAILGUN_SENDER_DOMAIN", "MAILGUN_API_URL"),
        webhook="MailgunTrackingWebhookView",
        signing_key="MAILGUN_WEBHOOK_SIGNING_KEY",
        must_sign=True,
    ),
    "mailjet": Provider(
        module="mailjet",
        required=("MAILJET_API_KEY", "MAILJET_SECRET_KEY"),
        webhook="MailjetTrackingWebhookView",
    ),
    "mailtrap": Provider(
        module="mailtrap",
        required=("MAILTRAP_API_TOKEN",),
        webhook="MailtrapTrackingWebhookView",
        signing_key="MAILTRAP_TRACKING_SECRET",
    ),
    "mandrill": Provider(
        module="mandrill",
        required=("MANDRILL_API_KEY",),
        optional=("MANDRILL_WEBHOOK_URL",),
        webhook="MandrillCombinedWebhookView",
        signing_key="MANDRILL_WEBHOOK_KEY",
        must_sign=True,
    ),
    "postal": Provider(
        module="postal",
        required=("POSTAL_API_URL", "POSTAL_API_KEY"),
        webhook="PostalTrackingWebhookView",
        signing_key="POSTAL_WEBHOOK_KEY",
        must_sign=True,
    ),
    "postmark": Provider(
        module="postmark",
        required=("POSTMARK_SERVER_TOKEN",),
        optional=("POSTMARK_MESSAGE_STREAM", "POSTMARK_API_URL"),
        webhook="PostmarkTrackingWebhookView",
    ),
    "resend": Provider("resend", ("RESEND_API_KEY",), webhook="ResendTrackingWebhookView"),
    "scaleway": Provider(
        module="scaleway",
        required=("SCALEWAY_SECRET_KEY", "SCALEWAY_PROJECT_ID"),
        optional=("SCALEWAY_REGION",),
    ),
    "sendgrid": Provider(
        module="sendgrid",
        required=("SENDGRID_API_KEY",),
        optional=("SENDGRID_API_URL",),
        webhook="SendGridTrackingWebhookView",
        signing_key="SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",
    ),
    "sparkpost": Provider(
        module="sparkpost",
        required=("SPARKPOST_API_KEY",),
        optional=("SPARKPOST_API_URL",),
        webhook="SparkPostTrackingWebhookView",
    ),
    "unisender-go": Provider(
        module="unisender_go",
        required=("UNISENDER_GO_API_URL", "UNISENDER_GO_API_KEY"),
        webhook="UnisenderGoTrackingWebhookView",
        signing_key="UNISENDER_GO_API_KEY",
    ),
}
TIMEOUT = 10  # seconds, to connect and for all answers but this:
# Seconds for the answer to a message, which the server may look for viruses in first (RFC 5321,
# 4.5.3.2.6). Giving up means a second copy; with the rest, it must fit in a task's time limit.
ANSWER_TIMEOUT = 100
LEAST_SECRET = 20  # characters of a user name and a password in EMAIL_WEBHOOK_SECRET


def find(name: str) -> Provider:
    """Return the provider with a name of `PROVIDERS`.

    Raises:
        ImproperlyConfigured: there is none, or a package that it needs is missing.
    """
    provider = PROVIDERS.get(name)
    if provider is None:
        close = difflib.get_close_matches(name, PROVIDERS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ImproperlyConfigured(
            f"EMAIL_PROVIDER names no provider that is known.{hint} Set it to one of "
            f"{', '.join(PROVIDERS)}; for others, unset it and set EMAIL_URL to their SMTP server."
        )
    if name == "amazon-ses" and importlib.util.find_spec("boto3") is None:
        raise ImproperlyConfigured(
            "EMAIL_PROVIDER=amazon-ses needs the package boto3: install it with "
            "`uv sync --extra amazon-ses`."
        )
    if env.is_set("EMAIL_URL") and env.str("EMAIL_URL", ""):
        raise ImproperlyConfigured(
            "EMAIL_PROVIDER and EMAIL_URL are both set, and only one of them can send the mail: "
            "unset the other."
        )
    return provider


def anymail_settings(provider: Provider) -> dict[str, Any]:
    """Return a provider's settings as the dictionary `ANYMAIL` takes them.

    Raises:
        ImproperlyConfigured: a required setting is missing, or one is malformed.
    """
    found: dict[str, Any] = {}
    for name in provider.names:
        is_key = name in PUBLIC_KEYS
        default = None if name in provider.required else ""
        if value := env.str(name, default, lines=is_key):
            found[name] = "".join(value.split()) if is_key else value
    for name, value in found.items():
        if name.endswith("_API_URL"):
            found[name] = _api_url(name)
        elif name.endswith("_URL"):  # of reports, with the user and the password in it
            found[name] = env.url(name, "https", "http")
        elif name.endswith("_REGION") and not REGION.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} must be the name of a region, of letters, digits and hyphens, such as "
                "eu-central-1 or fr-par."
            )
        elif name in PUBLIC_KEYS and not _is_public_key(value, PUBLIC_KEYS[name]):
            raise ImproperlyConfigured(
                f"{name} must be the public {PUBLIC_KEYS[name]} key that the provider shows for "
                "its reports: only Base64, without the lines before and after it."
            )
    if provider.module == "amazon_ses":
        found["AMAZON_SES_CLIENT_PARAMS"] = _ses_client(found)
    return found


def _api_url(name: str) -> str:
    """Return the URL of an API, to which the client appends the paths of what it asks for."""
    url = with_host(name, env.str(name, lines=True), "https", "http")
    if "?" in url.tail or url.has_credentials:
        raise ImproperlyConfigured(
            f"{name} must have no user, password or ?, as in https://api.example/v3: other "
            "settings name the key."
        )
    return url.text


def _is_public_key(text: str, kind: str) -> bool:
    # Imported here, because most sites need none of it at the start.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    kinds = {"EC": ec.EllipticCurvePublicKey, "RSA": rsa.RSAPublicKey}
    try:
        return isinstance(load_der_public_key(b64decode(text, validate=True)), kinds[kind])
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return False


def _ses_client(found: dict[str, Any]) -> dict[str, Any]:
    """Move the settings of the connection into what boto3 takes."""
    client: dict[str, Any] = {
        "region_name": found.pop("AMAZON_SES_REGION"),
        "config": {
            "connect_timeout": TIMEOUT,
            "read_timeout": ANSWER_TIMEOUT,
            # By itself, botocore sends up to five copies of what is not answered.
            "retries": {"total_max_attempts": 1},
        },
    }
    keys = [found.pop(name, None) for name in SES_NAMES]
    if bool(keys[0]) != bool(keys[1]):
        raise ImproperlyConfigured(
            f"Only one of {' and '.join(SES_NAMES)} is set: set both, or neither where boto3 finds "
            "its credentials by itself, as by a role."
        )
    if keys[0]:
        client |= {"aws_access_key_id": keys[0], "aws_secret_access_key": keys[1]}
    return client


def webhook(provider: Provider, settings: dict[str, Any]) -> str:
    """Return the path of the view that takes reports of bounces, empty if none may.

    It is served only if a report can be told from a forged one: by `EMAIL_WEBHOOK_SECRET`, which is
    added to the settings, or by the provider's signature.

    Raises:
        ImproperlyConfigured: the secret is too short, or is not a user and a password.
    """
    secrets = env.list("EMAIL_WEBHOOK_SECRET", "")
    if any(len(item) < LEAST_SECRET or not all(item.partition(":")) for item in secrets):
        raise ImproperlyConfigured(
            "EMAIL_WEBHOOK_SECRET must be a user and a password of together at least "
            f"{LEAST_SECRET} characters, as in events:long-random-password."
        )
    if secrets:
        settings["WEBHOOK_SECRET"] = secrets
    is_signed = provider.signing_key in settings
    is_safe = is_signed or (secrets and not provider.must_sign)
    if not provider.webhook or not is_safe:
        return ""
    return f"anymail.webhooks.{provider.module}.{provider.webhook}"
