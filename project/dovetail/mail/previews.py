"""Previews of mail with sample data, which the development server shows at `/dev/mail/`.

An app registers one for each of its mails in `mail_previews.py`, which nothing else imports:

    previews.register("shop/email/receipt", lambda: receipt(Order(number=17, total=42)))

The function returns the message that the application would send. The objects in it need not be
saved.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import autodiscover_modules

DARK = "(prefers-color-scheme: dark)"
SCHEMES = {"light": "not all", "dark": "all"}  # what stands for DARK where a scheme is forced


@dataclass(frozen=True)
class Preview:
    """A mail with sample data.

    Attributes:
        prefix: path prefix of its templates.
        variant: tells it from other previews of the same templates.
        make: returns the message.
    """

    prefix: str
    make: Callable[[], EmailMultiAlternatives]
    variant: str = ""

    @property
    def group(self) -> str:
        """The folder of the templates, such as `shop`."""
        return self.prefix.partition("/")[0]

    @property
    def key(self) -> str:
        parts = (self.group, self.prefix.rpartition("/")[2], self.variant)
        return "-".join(filter(None, parts))


_previews: dict[str, Preview] = {}


def register(prefix: str, make: Callable[[], EmailMultiAlternatives], *, variant: str = "") -> None:
    """Add a preview, or replace the one of the same templates and variant."""
    preview = Preview(prefix, make, variant)
    _previews[preview.key] = preview


def all_previews() -> list[Preview]:
    """Return the previews of all apps, by their keys."""
    autodiscover_modules("mail_previews")
    return [_previews[key] for key in sorted(_previews)]


def find(key: str) -> Preview | None:
    return next((preview for preview in all_previews() if preview.key == key), None)


def html(message: EmailMultiAlternatives, scheme: str) -> str:
    """Return the HTML of a message as a mail program shows it in a scheme, light or dark."""
    page = next(str(content) for content, kind in message.alternatives if kind == "text/html")
    page = page.replace(DARK, SCHEMES[scheme])
    return re.sub(r'(<meta name="color-scheme" content=")[\w ]+', rf"\g<1>{scheme}", page)
