"""`{% load pictures %}`: images in the size that a browser needs. See docs/images.md."""

from html import escape
from typing import Any

from django import template
from django.db.models.fields.files import FieldFile
from django.utils.safestring import SafeString, mark_safe

from dovetail.media.variants import made_of, record_of, url_of_variants

register = template.Library()

FIRST = {"fetchpriority": "high"}
LATER = {"loading": "lazy", "decoding": "async"}
# Out of sight, because it would be an item of a flex box, with a gap.
SOURCE = '<source type="image/avif" class="hidden" srcset="{}" sizes="{}">'


@register.simple_tag
def picture(
    file: FieldFile,
    *variants: str,
    sizes: str = "",
    alt: str = "",
    width: int | None = None,
    height: int | None = None,
    priority: bool = False,
    **attributes: Any,
) -> SafeString:
    """Render an image, of which the browser loads the variant that it needs.

        {% picture article.cover "thumbnail" "card" sizes="(min-width: 40rem) 20rem, 100vw" %}

    It asks neither the storage nor the database. While there are no variants, it shows the original
    in the same place.

    Args:
        file: the image of a row, loaded with the record of its variants.
        variants: the names of those to choose from; all if none are given. Leave out what is larger
            than the place of the image on any screen: each costs two URLs.
        sizes: how wide the image is on the page, as in HTML; by default `width` pixels, or else
            the width of the window.
        alt: what the image says, for those who don't see it; "" if it says nothing.
        width: in CSS pixels; by default that of the original.
        height: as `width`.
        priority: whether it is large and visible at first, so that the browser loads it before
            others. Otherwise it is loaded once it is near the visible part of the page.
        attributes: of the `<img>`, such as `class`; `_` stands for `-`.

    Returns:
        A `<picture>` around an `<img>`, which alone takes part in the layout; "" without an image.
    """
    if not file:
        return mark_safe("")
    made = made_of(file)
    if variants:  # a narrow image has only the smallest of them
        made = {name: made[name] for name in made if name in variants} or made
    source = ""
    shown: dict[str, Any]
    if made:
        url_of = url_of_variants(file, escape)
        avif = [f"{url_of(variant, 'avif')} {made[variant]}w" for variant in made]
        webp = [f"{url_of(variant, 'webp')} {made[variant]}w" for variant in made]
        wide = escape(str(sizes) or (f"{width}px" if width else "100vw"))
        source = SOURCE.format(", ".join(avif), wide)
        shown = {"src": webp[-1].partition(" ")[0], "srcset": ", ".join(webp), "sizes": wide}
    else:
        shown = {"src": escape(file.url)}
    shown["alt"] = escape(str(alt)) if alt else ""
    record = record_of(file) if width is None or height is None else {}
    for name, pixels in (("width", width), ("height", height)):
        if pixels := pixels or record.get(name):
            shown[name] = pixels
    shown |= FIRST if priority else LATER
    for name, text in attributes.items():
        shown[name.replace("_", "-")] = escape(str(text))
    rendered = "".join([f' {name}="{value}"' for name, value in shown.items()])
    return mark_safe(f'<picture class="contents">{source}<img{rendered}></picture>')  # noqa: S308 - escaped above
