"""Search results, which are the same on ParadeDB and on plain PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import connection, transaction
from django.utils.safestring import SafeString

from dovetail.search import SearchQuerySet
from tests.dovetail.shelves.models import Page, Shelf

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]


# As keyword arguments, because mypy does not know that a search annotates `score`.
HIT: dict[str, Any] = {"score__gt": 0}


def page(title: str, **values: object) -> Page:
    return Page.objects.create(title=title, **values)


def titles(rows: "SearchQuerySet[Page]") -> list[str]:
    return [row.title for row in rows]


def found(text: str, **options: object) -> set[str]:
    return set(titles(Page.objects.search(text, **options)))  # type: ignore[arg-type]


class TestWords:
    def test_match_by_stem_in_every_field(self) -> None:
        page("Running shoes")
        page("Feet", summary="They ran and were running.")
        page("Roads", body="Runs for miles.")
        page("Trees")

        assert found("run") == {"Running shoes", "Feet", "Roads"}

    def test_may_match_in_different_fields(self) -> None:
        page("Running", body="in shoes")
        page("Running", body="in boots")

        assert titles(Page.objects.search("shoes running")) == ["Running"]

    @pytest.mark.parametrize("text", ["CAFE", "café", "Café", "cafe\u0301"])
    def test_match_regardless_of_case_and_accents(self, text: str) -> None:
        page("The Café")
        page("A cafe")
        page("A cage")

        assert found(text) == {"The Café", "A cafe"}

    @pytest.mark.parametrize("text", ["継手", "木の継手", "手"])
    def test_match_by_character_in_languages_without_spaces(self, text: str) -> None:
        page("木の継手")
        page("木")

        assert found(text) == {"木の継手"}

    @pytest.mark.parametrize(
        ("title", "text"),
        [
            ("Release 2.0 of node.js", "node.js"),
            ("Release 2.0 of node.js", "2.0"),
            ("The carpenter's plane", "carpenter's"),
            ("The carpenter's plane", "carpenter"),
            ("The carpenter\u2019s plane", "carpenter\u2019s"),
            ("An X-ray of and/or", "x-ray"),
            ("snake_case names", "snake_case"),
            ("Write to ada@example.org", "ada@example.org"),
            ("See https://example.org/a?b=1", "https://example.org/a?b=1"),
            ("Жук", "жук"),
            ("مرحبا بالعالم", "مرحبا"),
            ("한국어 문서", "한국어"),
        ],
    )
    def test_match_with_punctuation_and_in_other_scripts(self, title: str, text: str) -> None:
        page(title)
        page("Something else")

        assert found(text) == {title}

    def test_stop_words_are_optional(self) -> None:
        page("Dovetail joints")

        assert found("how to cut a dovetail") == set()
        assert found("what is a dovetail") == {"Dovetail joints"}

    def test_stop_words_count_if_there_are_no_others(self) -> None:
        page("To be or not to be")
        page("Nothing")

        assert found("to be") == {"To be or not to be"}
        assert found('"or not to be"') == {"To be or not to be"}

    def test_are_indexed_in_very_long_texts(self) -> None:
        words = " ".join(f"word{number:x}" for number in range(150_000))
        page("Long", body=f"needle {words}")

        assert found("needle") == {"Long"}
        assert found("word1a") == {"Long"}


class TestSyntax:
    def test_all_words_must_match_by_default(self) -> None:
        page("Red shoes")
        page("Blue shoes")

        assert found("red shoes") == {"Red shoes"}
        assert found("red shoes", match="any") == {"Red shoes", "Blue shoes"}

    def test_phrase_matches_in_order(self) -> None:
        page("Red running shoes")
        page("Shoes for running")

        assert found('"running shoes"') == {"Red running shoes"}
        assert found("running shoes", match="phrase") == {"Red running shoes"}
        assert found('"running shoes') == {"Red running shoes"}

    def test_phrase_does_not_span_fields(self) -> None:
        page("Good running", summary="shoes are rare")

        assert found('"running shoes"') == set()

    def test_alternatives(self) -> None:
        page("Red shoes")
        page("Blue shoes")
        page("Blue hats")

        assert found("red OR blue shoes") == {"Red shoes", "Blue shoes"}
        assert found('hats OR "red shoes"') == {"Blue hats", "Red shoes"}

    def test_exclusions(self) -> None:
        page("Red shoes")
        page("Blue shoes", body="Not red, really.")
        page("Green shoes")

        assert found("shoes -red") == {"Green shoes"}
        assert found('shoes -"red shoes"') == {"Blue shoes", "Green shoes"}

    @pytest.mark.parametrize("text", ["", " ", "-red", '""', "...", "OR", "- -", "🪵", "\0"])
    def test_query_without_words_finds_nothing(self, text: str) -> None:
        page("Red shoes")

        rows = Page.objects.search(text, snippet="body")

        assert list(rows) == []
        assert rows.count() == 0
        assert list(rows.filter(**HIT).order_by(*["-score"]).values(*["snippet"])) == []


class TestFuzzyAndPrefix:
    @pytest.mark.parametrize("text", ["dovetial", "dovtail", "doevtail", "dovetaiil", "dovatail"])
    def test_fuzzy_search_forgives_a_typo(self, text: str) -> None:
        page("A dovetail")
        page("A mortise")

        assert found(text) == set()
        assert found(text, fuzzy=True) == {"A dovetail"}

    def test_fuzzy_search_is_exact_for_short_words(self) -> None:
        page("A dog")

        assert found("dig", fuzzy=True) == set()

    def test_exact_match_ranks_before_fuzzy_matches(self) -> None:
        page("shore")
        page("shoes")
        page("shore")

        assert titles(Page.objects.search("shoes", fuzzy=True))[0] == "shoes"

    def test_prefix_search_completes_the_last_word(self) -> None:
        page("Running shoes")
        page("A runner")
        page("Walking", body="running")

        assert found("runni") == set()
        assert found("runni", prefix=True) == {"Running shoes"}
        assert found("shoes runni", prefix=True) == {"Running shoes"}
        assert found("runni ", prefix=True) == set()

    def test_autocomplete_returns_a_few_rows(self) -> None:
        for number in range(12):
            page(f"Running {number}")

        assert len(Page.objects.autocomplete("runn")) == 8
        assert len(Page.objects.autocomplete("runn", limit=3)) == 3
        assert titles(Page.objects.autocomplete("Running 1"))[0] == "Running 1"

    @pytest.mark.parametrize("text", ["ada@exam", "node.j", "É", "木の", "x-r"])
    def test_prefix_may_contain_punctuation(self, text: str) -> None:
        title = "École: ada@example.org, node.js, 木の継手, X-ray"
        page(title)
        page("Other")

        assert found(text, prefix=True) == {title}

    def test_suggestion_corrects_a_search_without_results(self) -> None:
        page("Dovetail joints")
        page("Mortise and tenon")

        rows = Page.objects.all()
        assert rows.suggestion("dovetial joints") == "dovetail joints"
        assert rows.suggestion("mortice -tenom") == "mortise -tenom"
        assert rows.suggestion("dovetail") == ""
        assert rows.suggestion("zebra") == ""
        assert rows.suggestion("") == ""


class TestRank:
    def test_match_in_the_title_ranks_higher(self) -> None:
        # A word that no other test uses: rolled-back rows count for BM25 until a VACUUM.
        page("Trees", body="A quoin and more words.")
        page("A quoin", body="Trees and more words.")

        assert titles(Page.objects.search("quoin")) == ["A quoin", "Trees"]
        scores = [row.score for row in Page.objects.search("quoin")]  # type: ignore[attr-defined]
        assert scores == sorted(scores, reverse=True)

    def test_ties_are_ordered_newest_first(self) -> None:
        first, second = page("A saw"), page("A saw")

        assert list(Page.objects.search("saw")) == [second, first]

    def test_unranked_search_can_be_ordered(self) -> None:
        first, second = page("A saw"), page("A saw and a saw")

        assert list(Page.objects.search("saw", rank=False).order_by("pk")) == [first, second]

    def test_similar_rows_share_significant_terms(self) -> None:
        origin = page("Dovetail joints in oak", body="Cut the tails and then the pins.")
        near = page("Dovetail tails and pins", body="In oak or pine.")
        page("Sharpening stones", body="Water or oil.")

        assert list(Page.objects.similar_to(origin)) == [near]
        for nothing in ("!!!", "the of and"):
            assert list(Page.objects.similar_to(Page(title=nothing))) == []

    @pytest.mark.django_db(transaction=True)
    def test_similar_rows_are_found_among_many_deleted_rows(self) -> None:
        near, origin, *gone = [page("A dovetail joint") for _ in range(20)]
        Page.all_objects.filter(pk__in=[row.pk for row in gone]).hard_delete()
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM {Page._meta.db_table}")

        assert list(Page.objects.similar_to(origin)) == [near]


class TestSnippet:
    def test_marks_the_hits_and_escapes_the_rest(self) -> None:
        page("Feet", body="Salt & pepper was running <b>fast</b> & far.")

        (row,) = Page.objects.search("run far", snippet="body")

        snippet = row.snippet  # type: ignore[attr-defined]
        assert isinstance(snippet, SafeString)
        assert "Salt &amp; pepper was <mark>running</mark>" in snippet
        assert "<mark>far</mark>" in snippet
        assert "<b>" not in snippet

    def test_is_the_start_of_the_field_if_it_has_no_hit(self) -> None:
        page("Running", body="One & two.")

        (row,) = Page.objects.search("running", snippet="body")

        assert row.snippet == "One &amp; two."  # type: ignore[attr-defined]

    def test_is_cut_around_the_hit(self) -> None:
        page("Long", body=f"{'padding ' * 200}needle {'padding ' * 200}")

        (row,) = Page.objects.search("needle", snippet="body")

        snippet = row.snippet  # type: ignore[attr-defined]
        assert "<mark>needle</mark>" in snippet
        assert len(snippet) < 400

    def test_stored_markers_open_no_tag(self) -> None:
        page("Marked", body="a \ue000b\ue001 needle \ue002<script>c</script> \ue001\ue000 \ue000d")

        (row,) = Page.objects.search("needle", snippet="body")

        snippet = row.snippet  # type: ignore[attr-defined]
        assert "<script" not in snippet
        assert snippet.count("<mark>") == snippet.count("</mark>") == snippet.count("<") / 2
        assert not set(snippet) & {"\ue000", "\ue001", "\ue002"}


class TestQuerySet:
    @pytest.fixture(autouse=True)
    def rows(self) -> None:
        shelf = Shelf.objects.create(name="Top")
        for number in range(30):
            page(
                f"Chisel {number}",
                body="Sharp.",
                kind="tool" if number % 3 else "book",
                size=number,
                shelf=shelf,
                read_at=datetime(2026, 1, 1 + number % 28, tzinfo=UTC),
            )
        page("Stone", kind="tool")

    def test_can_be_counted_sliced_and_paginated(self) -> None:
        rows = Page.objects.search("chisel", snippet="body")

        assert rows.count() == 30
        assert rows.exists()
        assert len(rows[5:10]) == 5
        pages = [Paginator(rows, 12).page(number) for number in (1, 2, 3)]
        assert [len(page) for page in pages] == [12, 12, 6]
        assert len({row.pk for page in pages for row in page}) == 30

    def test_can_be_filtered(self) -> None:
        rows = Page.objects.search("chisel")

        assert rows.filter(kind="tool").count() == 20
        assert rows.exclude(kind="tool").count() == 10
        assert rows.filter(size__gte=28, kind="book").count() == 0
        assert rows.filter(**HIT).count() == 30
        assert rows.filter(shelf__name="Top").select_related("shelf")[0].shelf is not None

    def test_supports_only_values_and_subqueries(self) -> None:
        rows = Page.objects.search("chisel")

        assert rows.only("title")[0].title.startswith("Chisel")
        assert set(rows.values_list("kind", flat=True)) == {"tool", "book"}
        assert Page.objects.filter(pk__in=rows).count() == 30
        assert Page.objects.filter(pk__in=rows.values("pk")[:7]).count() == 7
        assert Shelf.objects.filter(page__in=rows).distinct().count() == 1
        assert Page.objects.exclude(pk__in=rows).count() == 1

    def test_can_be_ordered_by_a_field(self) -> None:
        rows = Page.objects.search("chisel").order_by("-size")

        assert [row.size for row in rows[:3]] == [29, 28, 27]

    def test_searches_can_be_chained(self) -> None:
        rows = Page.objects.search("chisel", rank=False).search("29")

        assert titles(rows) == ["Chisel 29"]

    def test_can_be_updated_and_deleted(self) -> None:
        assert Page.objects.search("chisel", rank=False).update(kind="edge") == 30
        assert Page.objects.search("stone").delete()[0] == 1
        assert found("stone") == set()

    def test_facets_count_the_matching_rows(self) -> None:
        rows = Page.objects.search("chisel")

        assert rows.facets("kind") == {"kind": [("tool", 20), ("book", 10)]}
        assert rows.facets("kind", limit=1) == {"kind": [("tool", 20)]}
        assert rows.filter(size__lt=3).facets("kind") == {"kind": [("tool", 2), ("book", 1)]}
        assert Page.objects.search("nothing at all").facets("kind") == {"kind": []}
        assert Page.objects.search("").facets("kind") == {"kind": []}


class TestWrites:
    def test_are_visible_in_their_transaction_until_its_rollback(self) -> None:
        page("Old chisel")
        with transaction.atomic():
            row = page("New chisel")
            assert found("chisel") == {"Old chisel", "New chisel"}
            row.title = "New plane"
            row.save()
            assert found("chisel") == {"Old chisel"}
            assert found("plane") == {"New plane"}
            transaction.set_rollback(True)

        assert found("plane") == set()
        assert found("chisel") == {"Old chisel"}

    def test_soft_deleted_rows_are_found_only_by_all_objects(self) -> None:
        row = page("A chisel")
        row.delete()

        assert found("chisel") == set()
        assert Page.all_objects.search("chisel").count() == 1
        assert list(Page.all_objects.deleted().search("chisel")) == [row]
        assert Page.objects.search("chisel").facets("kind") == {"kind": []}

        row.restore()
        assert found("chisel") == {"A chisel"}
        row.hard_delete()
        assert Page.all_objects.search("chisel").count() == 0


@pytest.mark.django_db(transaction=True)
def test_asynchronous_iteration() -> None:
    page("A chisel")

    async def search() -> list[str]:
        return [row.title async for row in Page.objects.search("chisel")]

    assert asyncio.run(search()) == ["A chisel"]
