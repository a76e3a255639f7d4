from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class PortCookieStorage(CookieStorage):
    """Keeps messages in a cookie that other ports of this host do not share."""

    cookie_name = settings.MESSAGE_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """Django's default storage, with `settings.MESSAGE_COOKIE_NAME`."""

    storage_classes = (PortCookieStorage, SessionStorage)
