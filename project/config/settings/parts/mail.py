from typing import Any

from config import env, mail_providers
from config.settings.parts.names import SITE_NAME

EMAIL_BACKEND = "dovetail.mail.backend.QueueBackend"
EMAIL_PROVIDER = env.str("EMAIL_PROVIDER", "")
EMAIL_TIMEOUT = mail_providers.TIMEOUT  # seconds
EMAIL_ANSWER_TIMEOUT = mail_providers.ANSWER_TIMEOUT  # seconds
ANYMAIL: dict[str, Any] = {}
MAIL_WEBHOOK_VIEW = ""  # takes the provider's reports of bounces and complaints
MAIL_WEBHOOK_NEEDS = ""  # the setting without which they are not taken
if EMAIL_PROVIDER:
    _provider = mail_providers.find(EMAIL_PROVIDER)
    MAIL_TRANSPORT = f"anymail.backends.{_provider.module}.EmailBackend"
    ANYMAIL = mail_providers.anymail_settings(_provider) | {
        "REQUESTS_TIMEOUT": (EMAIL_TIMEOUT, EMAIL_ANSWER_TIMEOUT)
    }
    MAIL_WEBHOOK_VIEW = mail_providers.webhook(_provider, ANYMAIL)
    MAIL_WEBHOOK_NEEDS = _provider.reports_need
elif env.bool("DEBUG") and env.str("EMAIL_URL") == "mailbox":
    # Mail is not sent, but shown at /dev/mailbox/.
    MAIL_TRANSPORT = "dovetail.devtools.mailbox.backend.EmailBackend"
else:
    _smtp = env.email("EMAIL_URL")
    MAIL_TRANSPORT = _smtp.pop("EMAIL_BACKEND")
    globals().update(_smtp)
# Hosts to which production may send mail without TLS.
EMAIL_PLAINTEXT_HOSTS = [host.lower() for host in env.list("EMAIL_PLAINTEXT_HOSTS", "")]
DEFAULT_FROM_EMAIL = env.sender("DEFAULT_FROM_EMAIL")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
