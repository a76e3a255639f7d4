"""Any string is safe to search for: thousands of hostile ones, with snippets and scores."""

from html.parser import HTMLParser

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings, strategies as st

from dovetail.search.query import Match
from tests.dovetail.shelves.models import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]

LANGUAGE = [
    *("title:secret", "kind:hidden", "*", "a*", "?", "/.*/", "[a TO z]", "IN [a b]", "^3", "~2"),
    *("AND", "OR", "NOT", "&", "|", "!", "<->", ":*", "'", '"', "''", "$$", "\\", "\\'", "E'"),
    *("%", "%s", "%%", "%(a)s", "{}", "{0}", "--", "/*", ";", ");", "(", ")", "\x00", "\ud800"),
    *("\ue000", "\ue001", "\ue002", "<b>", "<mark>", "&amp;", "<script>alert(1)</script>"),
    *("🪵", "👩‍🔬", "مرحبا", "\u202e", "\u200d", "木の継手", "ﬁ", "İ", "ß", "\u0301", "ก็", "हिन्दी"),
    *("dovetail", "joint", "-joint", '"a joint"', "::tsquery", "::pdb.boost(9)", "pdb.all()"),
]
texts = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(codec=None), max_size=60),
    st.lists(st.sampled_from(LANGUAGE), max_size=8).map(" ".join),
    st.lists(st.sampled_from(LANGUAGE), max_size=8).map("".join),
    st.sampled_from(LANGUAGE).flatmap(lambda part: st.text(max_size=20).map(part.__add__)),
)


# The rows are created once and only read, and a busy machine must not fail the tests. Each example
# searches a database, so that few are tried without --long.
PATIENT = settings(
    max_examples=500 if settings.get_current_profile_name() == "long" else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Tags(HTMLParser):
    """Collects the tags of a snippet."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(f"{tag}{attrs or ''}")


@pytest.fixture(autouse=True)
def rows(db: None) -> None:
    del db
    hidden = Page.objects.create(title="Hidden secret", body="secret joint", kind="hidden")
    hidden.delete()
    storable = " ".join(part for part in LANGUAGE if part not in {"\x00", "\ud800"})
    Page.objects.create(title="A dovetail joint & <b>more</b>", body=storable, kind="open")
    for text in ("木の継手", "مرحبا joint", "100% %s of a joint"):
        Page.objects.create(title=text, body=f"{text} 🪵 &amp; <i>a</i> \ue000x\ue001", kind="open")


@pytest.mark.parametrize("match", ["all", "any", "phrase"])
@PATIENT
@given(text=texts, fuzzy=st.booleans(), prefix=st.booleans())
@example(text="x" * 10_000, fuzzy=True, prefix=True)
@example(text="a " * 5_000, fuzzy=True, prefix=True)
@example(text='"' * 10_000, fuzzy=False, prefix=False)
@example(text="dovetail " * 40, fuzzy=True, prefix=True)
@example(text="\x00", fuzzy=False, prefix=False)
def test_no_text_raises_or_finds_hidden_rows(
    match: Match, text: str, fuzzy: bool, prefix: bool
) -> None:
    rows = Page.objects.search(text, match=match, fuzzy=fuzzy, prefix=prefix, snippet="body")

    for row in rows:
        assert row.kind == "open"
        assert row.score >= 0  # type: ignore[attr-defined]
        tags = Tags()
        tags.feed(row.snippet)  # type: ignore[attr-defined]
        assert tags.tags <= {"mark"}


@PATIENT
@given(text=texts)
def test_no_text_breaks_suggestions_autocomplete_or_facets(text: str) -> None:
    Page.objects.all().suggestion(text)
    list(Page.objects.autocomplete(text))
    Page.objects.search(text).facets("kind")
    assert Page.objects.search(text).filter(kind="hidden").count() == 0


@PATIENT
@given(text=st.text(max_size=200).filter(lambda text: "\0" not in text))
@example(text="a joint\u2028of two\u2029boards")
def test_any_text_can_be_stored_and_compared(text: str) -> None:
    with transaction.atomic():
        page = Page.objects.create(title=text[:200], body=text)
        list(Page.objects.similar_to(page))
        transaction.set_rollback(True)
