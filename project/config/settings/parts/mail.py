from config import env
from config.settings.parts.names import SITE_NAME

EMAIL_BACKEND = "dovetail.mail.backend.QueueBackend"
if env.bool("DEBUG") and env.str("EMAIL_URL") == "mailbox":
    # Mail is not sent, but shown at /dev/mailbox/.
    MAIL_TRANSPORT = "dovetail.devtools.mailbox.backend.EmailBackend"
else:
    _smtp = env.email("EMAIL_URL")
    MAIL_TRANSPORT = _smtp.pop("EMAIL_BACKEND")
    globals().update(_smtp)
# Hosts to which production may send mail without TLS.
EMAIL_PLAINTEXT_HOSTS = [host.lower() for host in env.list("EMAIL_PLAINTEXT_HOSTS", "")]
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
