"""Composes a message from templates: a text, and HTML in the layout of all mail.

    compose("shop/email/receipt", {"order": order}, to=[order.email]).send()

The example renders `shop/email/receipt_subject.txt`, `shop/email/receipt_message.txt` and, if there
is one, `shop/email/receipt_message.html`. Without it, the HTML is made from the text. The layout is
`mail/base.html`, whose styles are written into the elements.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from css_inline import CSSInliner
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context, TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.text import Truncator

from dovetail.lines import as_line
from dovetail.mail.topics import Topic

SIGNATURE = "\n-- \n"  # RFC 3676, 4.3
PREVIEW = 140  # characters that mailboxes show beside the subject
LONGEST_SUBJECT = 200  # characters

# Media queries cannot be written into elements, and stay.
_inliner = CSSInliner(
    keep_style_tags=True,
    keep_at_rules=True,
    remove_inlined_selectors=True,
    load_remote_stylesheets=False,
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of a text.

    Attributes:
        lines: of it.
        url: if it is nothing but a link to this site.
    """

    lines: list[str]
    url: str = ""


def compose(
    prefix: str,
    context: dict[str, Any],
    *,
    to: Sequence[str],
    topic: Topic | None = None,
    unsubscribe_url: str = "",
    headers: dict[str, str] | None = None,
) -> EmailMultiAlternatives:
    """Return a message that is not sent yet.

    Args:
        prefix: path prefix of the templates, such as `shop/email/receipt`.
        context: for the templates, which also get `site_name`, `subject`, `topic` and
            `unsubscribe_url`.
        to: addresses without names, so that no name can become a header.
        topic: the kind of mail, if people can turn it off.
        unsubscribe_url: where they can, without signing in.
        headers: further ones.
    """
    context = {
        "site_name": settings.SITE_NAME,
        **context,
        "topic": topic,
        "unsubscribe_url": unsubscribe_url,
    }
    subject = _subject(_text(f"{prefix}_subject.txt", context))
    text = _text(f"{prefix}_message.txt", context).strip()
    page = _page(prefix, text, {**context, "subject": subject})
    headers = dict(headers or {})
    if unsubscribe_url:
        # RFC 8058: mail programs send a POST to it when someone presses their own button.
        headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(subject, text, to=list(to), headers=headers)
    message.attach_alternative(page, "text/html")
    return message


def paragraphs(text: str) -> Iterator[Paragraph]:
    """Yield the paragraphs of a text, without the signature at its end."""
    body = text.rpartition(SIGNATURE)[0] or text
    for block in re.split(r"\n[ \t]*\n", body):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines:
            continue
        is_link = len(lines) == 1 and lines[0].startswith(f"{settings.SITE_URL}/")
        is_link = is_link and " " not in lines[0]
        yield Paragraph(lines, lines[0] if is_link else "")


def _text(name: str, context: dict[str, Any]) -> str:
    """Render a template of a text, in which `&` is no `&amp;`."""
    template: Any = get_template(name)
    return str(template.template.render(Context(context, autoescape=False)))


def _subject(text: str) -> str:
    """Return a text in one line, whatever the names in it contain."""
    return Truncator(as_line(text)).chars(LONGEST_SUBJECT)


def _page(prefix: str, text: str, context: dict[str, Any]) -> str:
    found = list(paragraphs(text))
    start = " ".join(found[0].lines) if found else ""
    context = {**context, "preview": Truncator(start).chars(PREVIEW), "paragraphs": found}
    try:
        template = get_template(f"{prefix}_message.html")
    except TemplateDoesNotExist:
        template = get_template("mail/from_text.html")
    return _inliner.inline(template.render(context))
