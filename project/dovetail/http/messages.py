"""Django's storage of messages, with a cookie that can be named.

Own code because Django has no setting for the name: in production it needs the `__Host-` prefix,
and in development the port, because browsers send cookies to every port of a host.
"""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class NamedCookieStorage(CookieStorage):
    cookie_name = settings.MESSAGE_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """Django's default storage, with `settings.MESSAGE_COOKIE_NAME`."""

    storage_classes = (NamedCookieStorage, SessionStorage)
