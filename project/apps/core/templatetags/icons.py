"""The site's icons: `{% icon "bell" %}`, available in every template without `{% load %}`."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Drawn on a 24 by 24 grid, with strokes in the color of the surrounding text.
ICONS = {
    "sun": (
        '<circle cx="12" cy="12" r="4" />'
        '<path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 '
        '1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1" />'
    ),
    "moon": '<path d="M20 14.2A8.2 8.2 0 0 1 9.8 4 8.2 8.2 0 1 0 20 14.2Z" />',
    "system": (
        '<rect x="3" y="4.5" width="18" height="12" rx="2" /><path d="M8.5 20h7M12 16.5V20" />'
    ),
    "theme": (
        '<circle cx="12" cy="12" r="8.5" />'
        '<path d="M12 3.5a8.5 8.5 0 0 1 0 17Z" fill="currentColor" />'
    ),
    "menu": '<path d="M4 7h16M4 12h16M4 17h16" />',
    "close": '<path d="m6 6 12 12M18 6 6 18" />',
    "pen": (
        '<path d="m4 20 1-4.2L16.2 4.6a1.7 1.7 0 0 1 2.4 0l.8.8a1.7 1.7 0 0 1 0 2.4L8.2 19 4 '
        '20ZM14 6.8l3.2 3.2" />'
    ),
    "trash": '<path d="M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10 11v5M14 11v5" />',
    "restore": '<path d="M4 5v5h5M4.6 10A8 8 0 1 1 4 13.5" />',
    "search": '<circle cx="11" cy="11" r="6.5" /><path d="m16 16 4.5 4.5" />',
    "down": '<path d="m6 9.5 6 6 6-6" />',
    "left": '<path d="m14.5 6-6 6 6 6" />',
    "right": '<path d="m9.5 6 6 6-6 6" />',
    "success": '<circle cx="12" cy="12" r="8.5" /><path d="m8.5 12.3 2.4 2.4 4.6-5" />',
    "warning": '<path d="M12 4 2.9 19.5h18.2L12 4ZM12 10.5v4M12 17v.1" />',
    "error": '<circle cx="12" cy="12" r="8.5" /><path d="M12 7.8v5M12 16v.1" />',
    "info": '<circle cx="12" cy="12" r="8.5" /><path d="M12 11v5M12 8v.1" />',
    "page": '<path d="M6 3.5h8L18.5 8v12.5H6V3.5ZM14 3.5V8h4.5M9 12.5h6M9 16h4" />',
    "lock": (
        '<rect x="5" y="10.5" width="14" height="9.5" rx="2" />'
        '<path d="M8 10.5V8a4 4 0 0 1 8 0v2.5" />'
    ),
    "bell": '<path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15L6 16.5ZM10 20.5h4" />',
    "link": (
        '<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2M14 10a4 4 0 0 0-5.7 '
        '0l-3 3A4 4 0 0 0 11 18.7l1.2-1.2" />'
    ),
    "publish": '<path d="M12 15V4.5M7.5 8.5 12 4l4.5 4.5M4.5 15v4.5h15V15" />',
}


@register.simple_tag
def icon(name: str, size: str = "size-5") -> SafeString:
    """Return an icon as inline SVG. It is decorative, so label the control that contains it.

    Args:
        name: a key of `ICONS`, or "" for no icon.
        size: the Tailwind class that sets its size.

    Raises:
        ValueError: there is no such icon.
    """
    if not name:
        return SafeString()
    if name not in ICONS:
        raise ValueError(f"There is no icon {name!r}: use one of {', '.join(sorted(ICONS))}.")
    return format_html(
        '<svg class="{} shrink-0" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" '
        'aria-hidden="true" focusable="false">{}</svg>',
        size,
        mark_safe(ICONS[name]),  # noqa: S308 - written above
    )
