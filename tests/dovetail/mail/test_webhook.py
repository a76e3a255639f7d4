"""What providers report about addresses: real reports, with real secrets and signatures."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from zeal import zeal_ignore

from dovetail.cache import windows
from dovetail.mail import webhook
from dovetail.mail.models import Suppression

pytestmark = pytest.mark.django_db
URL = "/mail/events/"
SECRET = "events:a-long-random-password"
KEY = "signing-key"
SENDGRID = "sendgrid.SendGridTrackingWebhookView"
ADA = "ada@example.org"


def now(**ago: float) -> str:
    return (timezone.now() - timedelta(**ago)).isoformat()


def postmark(kind: str = "HardBounce", record: str = "Bounce", **fields: Any) -> dict[str, Any]:
    """Return a report as in https://postmarkapp.com/developer/webhooks/bounce-webhook."""
    return {
        "RecordType": record,
        "MessageStream": "outbound",
        "ID": 4323372036854775807,
        "Type": kind,
        "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Description": "The server was unable to deliver your message.",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": "Ada@Example.org",
        "BouncedAt": now(),
        **fields,
    }


def mailgun(event: str = "failed", *, key: str = KEY, **fields: Any) -> dict[str, Any]:
    """Return a signed report as in https://documentation.mailgun.com/docs/mailgun/user-manual/."""
    moment, token = str(int(time.time())), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = hmac.new(key.encode(), f"{moment}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": moment, "token": token, "signature": signature},
        "event-data": {
            "event": event,
            "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "timestamp": time.time(),
            "severity": "permanent",
            "reason": "suppress-bounce",
            "recipient": ADA,
            "delivery-status": {"code": 605, "description": "Not delivering", "message": "No"},
            "message": {"headers": {"message-id": "20130503192659.13651.20287@mg.example"}},
            **fields,
        },
    }


def ses(kind: str = "Permanent") -> dict[str, Any]:
    """Return a report of Amazon SES in a message of SNS."""
    bounce = {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "timestamp": now(),
            "bouncedRecipients": [{"emailAddress": ADA, "diagnosticCode": "smtp; 550 5.1.1"}],
        },
        "mail": {"messageId": "0100018f", "destination": [ADA], "timestamp": now()},
    }
    return {
        "Type": "Notification",
        "MessageId": "22b80b92",
        "Message": json.dumps(bounce),
        "Timestamp": now(),
    }


@pytest.fixture(autouse=True)
def use_postmark(settings: Settings) -> None:
    use(settings, "postmark.PostmarkTrackingWebhookView")


def use(settings: Settings, view: str, **changes: Any) -> None:
    settings.MAIL_WEBHOOK_VIEW = f"anymail.webhooks.{view}"
    settings.ANYMAIL = {"WEBHOOK_SECRET": [SECRET]} | changes


def report(client: Client, content: Any, *, secret: str = SECRET, **headers: str) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    if secret:
        headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    return client.post(URL, body, content_type="application/json", headers=headers)


def test_bounce_stops_mail_to_the_address(client: Client) -> None:
    assert report(client, postmark()).status_code == 200

    found = Suppression.objects.get()
    assert found.address == ADA
    assert found.reason == Suppression.Reason.BOUNCE
    assert found.detail.startswith("smtp;550 5.1.1")
    assert Suppression.objects.for_address(" ADA@example.org ").exists()


@pytest.mark.parametrize("secret", ["", "events:another-random-password", "events"])
def test_report_without_the_secret_is_refused(client: Client, secret: str) -> None:
    assert report(client, postmark(), secret=secret).status_code == 400
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x", "x" * 1000])
def test_report_with_a_malformed_secret_is_refused(client: Client, header: str) -> None:
    assert report(client, postmark(), secret="", Authorization=header).status_code == 400


def test_report_needs_no_token_against_forgery() -> None:
    client = Client(enforce_csrf_checks=True)

    assert report(client, postmark()).status_code == 200


def test_there_is_no_such_page_without_a_provider(client: Client, settings: Settings) -> None:
    settings.MAIL_WEBHOOK_VIEW = ""

    assert report(client, postmark()).status_code == 404


def test_reports_cannot_be_read(client: Client) -> None:
    assert client.get(URL).status_code == 405


@pytest.mark.parametrize(
    ("kind", "record", "reason"),
    [
        ("BadEmailAddress", "Bounce", "bounce"),
        ("SpamComplaint", "SpamComplaint", "complaint"),
        ("SoftBounce", "Bounce", None),
        ("Transient", "Bounce", None),
        ("Blocked", "Bounce", None),
    ],
)
def test_only_what_lasts_stops_mail(
    client: Client, kind: str, record: str, reason: str | None
) -> None:
    """Kind: a full mailbox, which ends all mail to it."""
    assert report(client, postmark(kind, record)).status_code == 200

    assert Suppression.objects.values_list("reason", flat=True).first() == reason


def test_report_that_comes_again_changes_nothing(client: Client) -> None:
    first = postmark()
    for _ in range(2):
        assert report(client, first).status_code == 200
    assert Suppression.objects.count() == 1

    Suppression.objects.all().delete()  # as staff may
    report(client, first)
    assert not Suppression.objects.exists()
    report(client, postmark(ID=1))  # another bounce
    assert Suppression.objects.exists()


def test_report_of_long_ago_changes_nothing(client: Client) -> None:
    report(client, postmark(BouncedAt=now(days=4)))
    assert not Suppression.objects.exists()


def test_time_without_a_zone_is_taken_for_utc(client: Client) -> None:
    moment = timezone.now().replace(tzinfo=None)
    assert report(client, postmark(BouncedAt=moment.isoformat())).status_code == 200

    assert Suppression.objects.get().occurred_at == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize("order", [1, -1])
def test_complaint_counts_more_in_any_order(client: Client, order: int) -> None:
    for content in [postmark(), postmark("SpamComplaint", "SpamComplaint", ID=2)][::order]:
        report(client, content)

    assert Suppression.objects.get().reason == Suppression.Reason.COMPLAINT


def test_subscription_at_the_provider_undoes_the_end_of_one_only(client: Client) -> None:
    change = {"RecordType": "SubscriptionChange", "Recipient": ADA}
    stop = {"SuppressSending": True, "SuppressionReason": "ManualSuppression"}
    report(client, {**change, **stop, "ChangedAt": now(hours=2)})
    assert Suppression.objects.get().reason == Suppression.Reason.UNSUBSCRIBED
    report(client, {**change, "SuppressSending": False, "ChangedAt": now(hours=3)})  # late
    assert Suppression.objects.exists()
    report(client, {**change, "SuppressSending": False, "ChangedAt": now(hours=1)})
    assert not Suppression.objects.exists()

    report(client, postmark())
    report(client, {**change, "SuppressSending": False, "ChangedAt": now()})
    assert Suppression.objects.get().reason == Suppression.Reason.BOUNCE


def test_signature_of_the_provider_is_checked(client: Client, settings: Settings) -> None:
    use(
        settings,
        "mailgun.MailgunTrackingWebhookView",
        MAILGUN_WEBHOOK_SIGNING_KEY=KEY,
        WEBHOOK_SECRET=[],
    )
    tampered = mailgun()
    tampered["signature"]["timestamp"] = str(int(time.time()) + 1)

    assert report(client, mailgun(key="guessed"), secret="").status_code == 400
    assert report(client, tampered, secret="").status_code == 400
    assert report(client, {"event-data": {}}, secret="").status_code == 400
    assert not Suppression.objects.exists()
    assert report(client, mailgun(severity="temporary"), secret="").status_code == 200
    assert not Suppression.objects.exists()
    assert report(client, mailgun(), secret="").status_code == 200
    assert Suppression.objects.get().address == ADA


@pytest.mark.parametrize(("kind", "stops"), [("Permanent", True), ("Transient", False)])
def test_amazon_ses_reports_through_sns(
    client: Client, settings: Settings, kind: str, *, stops: bool
) -> None:
    use(
        settings,
        "amazon_ses.AmazonSESTrackingWebhookView",
        AMAZON_SES_CLIENT_PARAMS={"region_name": "eu-central-1"},
    )
    sns = {"X-Amz-Sns-Message-Type": "Notification", "X-Amz-Sns-Message-Id": "22b80b92"}

    assert report(client, ses(kind), secret="", **sns).status_code == 401  # SNS asks first
    assert report(client, ses(kind), **sns).status_code == 200
    assert Suppression.objects.exists() is stops


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"1", b'"text"', b"\xff", b'{"RecordType": []}'),
        json.dumps(postmark(record="Inbound", FromFull={})).encode(),
        json.dumps(postmark(BouncedAt="yesterday")).encode(),
        json.dumps(postmark(BouncedAt="2026-13-45T00:00:00Z")).encode(),
        json.dumps(postmark(Metadata=7)).encode(),
        b"[" * 100_000,
    ],
)
def test_malformed_report_is_refused(client: Client, body: bytes) -> None:
    assert report(client, body).status_code in {200, 400}
    assert Suppression.objects.count() <= 1


@pytest.mark.parametrize(
    "address", ["", None, "a\0da@example.org", "ada", 7, ["a@b.example"], f"{'a' * 300}@b.example"]
)
def test_what_is_no_address_is_ignored(client: Client, address: Any) -> None:
    assert report(client, postmark(Email=address)).status_code == 200
    assert not Suppression.objects.exists()


def test_any_detail_can_be_stored(client: Client) -> None:
    report(client, postmark(Details="\0" + "x" * 5000))

    assert Suppression.objects.get().detail == "\ufffd" + "x" * 499


def test_reports_are_limited(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MOST", 1)

    assert report(client, postmark(ID=1)).status_code == 200
    answer = report(client, postmark(ID=2))
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")


def test_reports_are_taken_while_the_cache_is_unavailable(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(windows, "count", fail)
    assert report(client, postmark()).status_code == 200


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"event": "soft_bounce"}, True),  # Brevo, Mandrill
        ({"event": "hard_bounce"}, False),
        ({"type": "activity.soft_bounced"}, True),  # MailerSend
        ({"event": "bounce", "hard_bounce": False}, True),  # Mailjet
        ({"event": "bounce", "hard_bounce": True}, False),
        ({"data": {"bounce": {"type": "Transient"}}}, True),  # Resend
        ({"data": {"bounce": {"type": "Permanent"}}}, False),
        ({"msys": {"message_event": {"bounce_class": "22"}}}, True),  # SparkPost
        ({"msys": {"message_event": {"bounce_class": "10"}}}, False),
        ({"msys": []}, False),
        ({"bounce_class": "10"}, False),
        ("text", False),
    ],
)
def test_bounces_that_pass_are_told_apart(report: Any, *, expected: bool) -> None:
    assert webhook.is_soft(report) is expected


# Of the provider.
untested = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")


def sendgrid(**fields: Any) -> dict[str, Any]:
    """Return a report as in https://www.twilio.com/docs/sendgrid/for-developers/tracking-events."""
    event = {"event": "bounce", "sg_event_id": "1", "sg_message_id": "2", "email": ADA}
    return {**event, "timestamp": int(time.time()), "reason": "550 5.1.1", **fields}


@untested
@pytest.mark.parametrize(("kind", "stops"), [("bounce", True), ("blocked", False)])
def test_block_of_sendgrid_passes(
    client: Client, settings: Settings, kind: str, *, stops: bool
) -> None:
    use(settings, SENDGRID)

    assert report(client, [sendgrid(type=kind)]).status_code == 200

    assert Suppression.objects.exists() is stops


@untested
def test_odd_text_of_one_report_loses_no_other(client: Client, settings: Settings) -> None:
    """Kind: a batch of which the rest is lost because of one."""
    use(settings, SENDGRID)
    addresses = [f"{name}@example.org" for name in ("ada", "bob", "eve")]
    reasons = ["550", "550 \ud83d\0", "550"]
    events = [
        sendgrid(type="bounce", email=address, reason=reason, sg_event_id=address)
        for address, reason in zip(addresses, reasons, strict=True)
    ]

    with zeal_ignore([{"model": "dovetail_mail.Suppression", "field": "get()"}]):
        assert report(client, events).status_code == 200

    assert set(Suppression.objects.values_list("address", flat=True)) == set(addresses)


@untested
@pytest.mark.parametrize("moment", [10**18, -(10**18), None, "soon", 1e400])
def test_odd_time_is_refused(client: Client, settings: Settings, moment: Any) -> None:
    use(settings, SENDGRID)

    assert report(client, [sendgrid(type="bounce", timestamp=moment)]).status_code == 400


def test_report_from_the_future_is_one_of_now(client: Client) -> None:
    """Kind: a time that no page can show."""
    report(client, postmark(BouncedAt="9999-12-31T23:59:59-12:00"))

    assert Suppression.objects.get().occurred_at <= timezone.now()


@pytest.mark.parametrize("address", ["ada@münchen.de", "ada@xn--mnchen-3ya.de", "ADA@MÜNCHEN.de"])
def test_international_domain_is_found_in_any_form(client: Client, address: str) -> None:
    report(client, postmark(Email="ada@xn--mnchen-3ya.de"))

    assert Suppression.objects.for_address(address).exists()


def test_deployment_check_reports_a_provider_that_cannot_report(settings: Settings) -> None:
    settings.MAIL_WEBHOOK_NEEDS = "EMAIL_WEBHOOK_SECRET"
    assert webhook.check() == []
    settings.MAIL_WEBHOOK_VIEW = ""
    (warning,) = webhook.check()
    assert warning.id == "dovetail.W108"
    assert "Set EMAIL_WEBHOOK_SECRET, and enter http" in str(warning.hint)
    settings.MAIL_WEBHOOK_NEEDS = ""  # SMTP, or a provider without reports
    assert webhook.check() == []


def test_staff_see_and_remove_addresses(admin_client: Client, client: Client) -> None:
    report(client, postmark())
    url = "/admin/dovetail_mail/suppression/"

    assert ADA in admin_client.get(f"{url}?q=ada").text
    assert admin_client.get(f"{url}add/").status_code == 403
    answer = admin_client.post(f"{url}{Suppression.objects.get().pk}/delete/", {"post": "yes"})
    assert answer.status_code in {302, 303}
    assert not Suppression.objects.exists()
