"""`{% picture %}`: what browsers are offered, and what it costs."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage
from django.template import engines

from apps.articles.models import Article
from dovetail.templatetags.pictures import picture

NAME = "covers/0123456789abcdef0123456789abcdef.webp"
URL = f"/media/{NAME}"
MADE = {"full": 1600, "card": 800, "thumbnail": 400}  # PostgreSQL keeps no order


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in self.found
        self.found[tag] = dict(attrs)


def article(**record: Any) -> Article:
    known = {"file": NAME, "width": 2000, "height": 1000}
    return Article(cover=NAME, cover_variants=known | record)


def elements(*args: Any, **options: Any) -> dict[str, dict[str, str | None]]:
    return Elements(picture(*args, **options)).found


def test_offers_all_variants_in_both_formats() -> None:
    found = elements(article(made=MADE).cover, sizes="50vw", alt="A joint", **{"class": "wide"})

    avif = [f"{URL}.{name}.avif {MADE[name]}w" for name in ("thumbnail", "card", "full")]
    webp = [f"{URL}.{name}.webp {MADE[name]}w" for name in ("thumbnail", "card", "full")]
    assert found["source"] == {
        "type": "image/avif",
        "class": "hidden",  # it would be an item of a flex box, with a gap
        "srcset": ", ".join(avif),
        "sizes": "50vw",
    }
    assert found["img"] == {
        "src": f"{URL}.full.webp",
        "srcset": ", ".join(webp),
        "sizes": "50vw",
        "alt": "A joint",
        "width": "2000",
        "height": "1000",
        "loading": "lazy",
        "decoding": "async",
        "class": "wide",
    }


def test_offers_only_the_chosen_variants() -> None:
    found = elements(article(made=MADE).cover, "thumbnail", "card", width=300, height=200)

    assert "full" not in str(found)
    assert found["img"]["src"] == f"{URL}.card.webp"
    assert (found["img"]["sizes"], found["img"]["height"]) == ("300px", "200")


def test_narrow_image_lacks_the_larger_variants() -> None:
    found = elements(article(made={"thumbnail": 90}).cover, "full")

    assert found["source"]["srcset"] == f"{URL}.thumbnail.avif 90w"


@pytest.mark.parametrize(
    "record", [{}, {"fault": "unreadable"}, {"file": "covers/another.webp", "made": MADE}]
)
def test_original_takes_the_place_while_there_are_no_variants(record: dict[str, Any]) -> None:
    found = elements(article(**record).cover, sizes="50vw")

    assert "source" not in found
    assert found["img"]["src"] == URL
    assert "srcset" not in found["img"]
    is_known = record.get("file", NAME) == NAME
    assert found["img"].get("width") == ("2000" if is_known else None)


def test_most_important_image_is_loaded_first() -> None:
    found = elements(article(made=MADE).cover, priority=True)

    assert found["img"]["fetchpriority"] == "high"
    assert "loading" not in found["img"]


def test_no_image_is_nothing() -> None:
    assert picture(Article().cover) == ""


def test_attributes_are_escaped() -> None:
    hostile: Any = dict.fromkeys(["alt", "sizes", "class"], '"><script>')

    assert "<script>" not in picture(article(made=MADE).cover, **hostile)


class Signed(InMemoryStorage):
    """Has a URL for each name that tells nothing of those of others, as S3 does."""

    def url(self, name: str | None) -> str:
        return f"https://s3.example/{name}?X-Amz-Date=1&X-Amz-Signature={hash(name)}"


def test_each_variant_has_its_own_signed_url() -> None:
    cover: Any = article(made=MADE).cover
    cover.storage = Signed()

    html = picture(cover, "thumbnail", "card")

    for name in ("thumbnail", "card"):
        for kind in ("avif", "webp"):
            url = cover.storage.url(f"{NAME}.{name}.{kind}").replace("&", "&amp;")
            assert f"{url} {MADE[name]}w" in html


def test_attribute_may_be_a_number() -> None:
    options: dict[str, Any] = {"data_index": 3}

    assert elements(article().cover, **options)["img"]["data-index"] == "3"


def test_costs_no_query_and_asks_no_storage() -> None:
    """Without `django_db`, a query fails; there is no such file."""
    template = engines["django"].from_string(
        '{% load pictures %}{% picture article.cover "card" class="wide" %}'
    )

    html = template.render({"article": article(made=MADE)})

    assert html.startswith('<picture class="contents"><source')
    assert Elements(html).found["img"]["class"] == "wide"
