"""Checks addresses of mail that are settings."""

from email.errors import InvalidHeaderDefect
from email.headerregistry import HeaderRegistry
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import punycode

from config.url_parts import is_host


def sender(name: str, value: str) -> str:
    """Return the address that mail comes from, with or without a name before it.

    Another one would be noticed when the first mail is built.

    Args:
        name: the setting.
        value: the address.
    """
    header: Any = HeaderRegistry()("From", value)
    mailboxes = [group.addresses[0] for group in header.groups if group.display_name is None]
    # Obsolete forms are taken: a name with a dot, as in "Site Inc. <hello@site.example>", is one.
    is_valid = not any(isinstance(defect, InvalidHeaderDefect) for defect in header.defects)
    if (
        not is_valid
        or len(header.groups) != 1
        or len(mailboxes) != 1
        or not mailboxes[0].username.isascii()
        or not _is_domain(mailboxes[0].domain)
    ):
        raise ImproperlyConfigured(
            f"{name} must be one address, such as hello@site.example or Site <hello@site.example>: "
            "put a name with a comma or other punctuation in quotes, as in "
            '"Site, Inc." <hello@site.example>.'
        )
    return value


def _is_domain(text: str) -> bool:
    text = text.removeprefix("[").removesuffix("]").removeprefix("IPv6:")
    try:
        return is_host(punycode(text).replace("_", "x"))  # which servers take, unlike browsers
    except UnicodeError:
        return False
