"""Email caught in development, shown at `/dev/mailbox/`.

Set `EMAIL_BACKEND = "dovetail.devtools.mailbox.backend.EmailBackend"`.
"""
