"""Declarations of variants that could not work are found by `manage.py check`."""

import pytest
from django.db import models
from django.test.utils import isolate_apps
from PIL import features

from apps.articles.models import Article
from dovetail.media.fields import ImageField
from dovetail.media.names import original_of, variant_name
from dovetail.media.variants import VariantsField


def problems(source: str, widths: dict[str, int]) -> list[str]:
    with isolate_apps("tests.dovetail.shelves"):

        class Poster(models.Model):  # noqa: DJ008 - has no rows
            title = models.CharField(max_length=9)
            front = ImageField(upload_to="posters")
            variants = VariantsField(source, widths)
            back = ImageField(upload_to="posters")

            class Meta:
                app_label = "shelves"

        found = [error for error in Poster.check() if error.id == "dovetail.E003"]
        return [error.msg for error in found]


@pytest.mark.parametrize("source", ["", "other", "title", "back"])
def test_source_is_an_image_field_above(source: str) -> None:
    assert problems(source, {"card": 800}) == [f"There is no image field {source!r} above it."]


@pytest.mark.parametrize("widths", [{}, {"a": 800, "b": 400}, {"a": 400, "b": 400}, {"a": 0}])
def test_widths_ascend(widths: dict[str, int]) -> None:
    (problem,) = problems("front", widths)

    assert "do not ascend" in problem


def test_name_fits_a_file_and_an_attribute() -> None:
    assert problems("front", {"very large": 800}) == ["'very large' is no name for a variant."]


def test_pillow_without_avif_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems("front", {"card": 800}) == []
    monkeypatch.setattr(features, "check", lambda _: False)

    assert problems("front", {"card": 800}) == ["This Pillow cannot write AVIF."]


@pytest.mark.parametrize(
    "name",
    ["covers/a.webp", "covers/a", "covers/a.b c.webp", "covers/a.webp.card.gif", "a..webp", ""],
)
def test_other_names_are_no_variants(name: str) -> None:
    assert original_of(name) is None


def test_variant_names_its_original() -> None:
    for original in ("covers/a.webp", "covers/a", "covers/a.card.avif"):
        assert original_of(variant_name(original, "card", "AVIF")) == original


def test_row_without_an_image_has_no_record() -> None:
    article = Article()

    assert article.cover_variants == {}
