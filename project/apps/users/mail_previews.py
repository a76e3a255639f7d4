"""Samples of the mail about accounts, for `/dev/mail/`."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from apps.users.models import DataExport, PersonalAccessToken, User
from dovetail.mail import previews
from dovetail.mail.messages import compose

ADA = User(email="ada@example.org", display_name="Ada Lovelace")
NOW = datetime(2026, 11, 28, 9, 41, tzinfo=UTC)
NOTICE = {
    "timestamp": NOW,
    "ip": "192.0.2.44",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
}
CODE = {"code": "H7K2-9QX4"}
URL = f"{settings.SITE_URL}/accounts/example/of-a-link/3x7-c8f2a1/"
EXPORT = DataExport(user=ADA, created_at=NOW)
TOKEN = PersonalAccessToken(
    user=ADA, name="Backup", scopes=["articles:read"], expires_at=NOW + timedelta(days=30)
)
BOUND = SimpleNamespace(name="Example Company")

NOTICES: dict[str, dict[str, Any]] = {
    "account/email/email_changed": {"from_email": "old@example.org", "to_email": ADA.email},
    "account/email/email_confirm": {"new_address": ADA.email},
    "account/email/email_deleted": {"deleted_email": "old@example.org"},
    "account/email/new_device": {"device": "Firefox on Linux"},
    "account/email/password_changed": {},
    "account/email/password_reset": {},
    "account/email/password_set": {},
    "account/email/token_created": {"token": TOKEN},
    "mfa/email/recovery_codes_generated": {},
    "mfa/email/totp_activated": {},
    "mfa/email/totp_deactivated": {},
    "mfa/email/webauthn_added": {},
    "mfa/email/webauthn_removed": {},
    "socialaccount/email/account_connected": {"provider": "GitHub"},
    "socialaccount/email/account_disconnected": {"provider": "GitHub"},
}
OTHERS: dict[str, dict[str, Any]] = {
    "account/email/account_already_exists": {"password_reset_url": URL},
    "account/email/changed_by_administrator": {"change": "changed your email address"},
    "account/email/data_export": {"url": URL, "export": EXPORT},
    "account/email/deletion_requested": {"removed_on": NOW + timedelta(days=14)},
    "account/email/email_confirmation": CODE,
    "account/email/email_confirmation_signup": CODE,
    "account/email/login_code": CODE,
    "account/email/password_reset_bound": {"bound": BOUND},
    "account/email/password_reset_code": CODE,
    "account/email/password_reset_key": {"password_reset_url": URL},
    "account/email/unknown_account": {"signup_url": URL},
}


def register(prefix: str, context: dict[str, Any], *, variant: str = "") -> None:
    def make() -> EmailMultiAlternatives:
        return compose(prefix, {"user": ADA, "email": ADA.email, **context}, to=[ADA.email])

    previews.register(prefix, make, variant=variant)


for _prefix, _context in NOTICES.items():
    register(_prefix, NOTICE | _context)
for _prefix, _context in OTHERS.items():
    register(_prefix, _context)
register("account/email/email_confirmation", {"activate_url": URL}, variant="link")
register("account/email/login_code", CODE | {"reauthentication": True}, variant="reauthentication")
