"""Sends mail in a Celery task after the commit, so that a slow provider does not slow requests.

Set `EMAIL_BACKEND = "dovetail.mail.backend.QueueBackend"`, and `MAIL_TRANSPORT` to the backend that
delivers. Then use Django's functions as usual:

    send_mail("Welcome", "Good to have you.", None, [user.email])

`dovetail.mail.messages` composes mail in the layout of the site, and `dovetail.mail.optional` mail
that people can turn off. docs/mail.md has examples.
"""
