import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from dovetail.cable.streams import stream_name
from dovetail.cache.computed import cached
from dovetail.models import BaseModel
from dovetail.turbo import models as turbo_models
from dovetail.turbo.models import BroadcastsRefreshes
from tests.dovetail.shelves.models import Badge, Poster

pytestmark = pytest.mark.django_db


@pytest.fixture
def refreshed(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[], object]], set[str]]:
    """Return a function that makes a change and returns the streams it refreshes."""
    names: list[str] = []
    monkeypatch.setattr(
        turbo_models,
        "broadcast_refreshes_to",
        lambda streamables: names.extend(map(stream_name, streamables)),
    )

    def refreshed(change: Callable[[], object]) -> set[str]:
        names.clear()
        change()
        return set(names)

    return refreshed


@pytest.fixture
def reauthorized(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    rows: list[Any] = []
    monkeypatch.setattr(turbo_models, "reauthorize", rows.append)
    return rows


Refreshed = Callable[[Callable[[], object]], set[str]]


def streams_of(*rows: models.Model) -> set[str]:
    """Return the streams of these posters, and of the list."""
    return {"posters", *map(stream_name, rows)}


def test_each_change_of_a_row_refreshes_its_pages_and_the_list(refreshed: Refreshed) -> None:
    poster = Poster(title="A")

    for change in (poster.save, poster.save, poster.delete, poster.restore, poster.hard_delete):
        pk = poster.pk
        assert refreshed(change) == {"posters", f"shelves.poster:{pk}"}


@pytest.mark.parametrize(
    "change",
    [
        lambda: Poster.objects.update(title="C"),
        lambda: Poster.objects.filter(title="A").update(title="C"),
        lambda: Poster.objects.order_by("-title").delete(),
        lambda: Poster.all_objects.all().hard_delete(),
        lambda: Poster.objects.bulk_update(
            [Poster(pk=row.pk, title="C") for row in Poster.objects.all()], ["title"]
        ),
    ],
    ids=["update", "filtered update", "delete", "hard delete", "bulk update"],
)
def test_bulk_operation_refreshes_the_pages_of_the_rows_it_changes(
    refreshed: Refreshed, change: Callable[[], object]
) -> None:
    posters = [Poster.objects.create(title="A") for _ in range(2)]

    assert refreshed(change) == streams_of(*posters)


def test_bulk_operation_leaves_other_rows_alone(refreshed: Refreshed) -> None:
    poster, _other = (Poster.objects.create(title=title) for title in "AB")

    changed = refreshed(lambda: Poster.objects.filter(title="A").update(title="C"))

    assert changed == streams_of(poster)


def test_bulk_restore_refreshes(refreshed: Refreshed) -> None:
    posters = [Poster.objects.create(title="A") for _ in range(2)]
    Poster.objects.all().delete()

    assert refreshed(Poster.all_objects.all().restore) == streams_of(*posters)


def test_bulk_create_refreshes_the_list(refreshed: Refreshed) -> None:
    posters = [Poster(title="A"), Poster(title="B")]

    assert refreshed(lambda: Poster.objects.bulk_create(posters)) == {Poster.refreshes}


def test_change_of_no_row_refreshes_nothing(refreshed: Refreshed) -> None:
    assert refreshed(lambda: Poster.objects.filter(title="none").update(title="C")) == set()


def test_bulk_operation_that_fails_refreshes_nothing(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    Poster.objects.create(title="A")

    def fail() -> None:
        with transaction.atomic():
            Poster.objects.update(title="C")
            raise RuntimeError

    with django_capture_on_commit_callbacks() as callbacks, pytest.raises(RuntimeError):
        fail()

    assert callbacks == []


def test_list_stream_is_named_after_the_model_by_default(refreshed: Refreshed) -> None:
    badge = Badge(title="A")

    assert refreshed(badge.save) == {"shelves.badge", f"shelves.badge:{badge.pk}"}


def test_model_without_soft_deletion_refreshes_when_it_is_deleted(refreshed: Refreshed) -> None:
    badge = Badge.objects.create(title="A")
    stream = stream_name(badge)

    assert refreshed(Badge.objects.all().delete) == {"shelves.badge", stream}


def test_rows_loaded_from_a_fixture_refresh_nothing(refreshed: Refreshed, tmp_path: Any) -> None:
    path = tmp_path / "posters.json"
    pk = "0190aaaa-0000-7000-8000-000000000000"
    times = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    fields = {"title": "A", **times}
    path.write_text(json.dumps([{"model": "shelves.poster", "pk": pk, "fields": fields}]))

    assert refreshed(lambda: call_command("loaddata", str(path), verbosity=0)) == set()
    assert Poster.objects.get().title == "A"


@pytest.mark.parametrize(
    "change",
    [
        Poster.save,
        Poster.delete,
        Poster.hard_delete,
        lambda poster: Poster.objects.filter(pk=poster.pk).update(title="C"),
    ],
    ids=["save", "delete", "hard delete", "update"],
)
def test_values_of_the_list_expire_even_if_the_row_is_no_longer_on_it(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Poster], object],
) -> None:
    """Kind: a page that still shows what was withdrawn, since the row no longer says it was on."""
    poster = Poster.objects.create(title="A")
    monkeypatch.setattr(Poster, "refreshed_streams", lambda self: [self])
    before = cached("posters.titles", lambda: "before", ttl=60, tags=["posters"])

    with django_capture_on_commit_callbacks(execute=True):
        change(poster)

    after = cached("posters.titles", lambda: "after", ttl=60, tags=["posters"])
    assert (before, after) == ("before", "after")


@pytest.mark.parametrize("delete", [Poster.delete, Poster.hard_delete])
def test_followers_of_a_row_are_authorized_again_only_when_it_is_deleted(
    reauthorized: list[Any], delete: Callable[[Poster], object]
) -> None:
    poster = Poster.objects.create(title="A")
    poster.save()
    assert reauthorized == []

    delete(poster)

    assert len(reauthorized) == 1


def test_refreshes_of_a_bulk_operation_are_sent_in_one_call(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for _ in range(5):
        Poster.objects.create(title="A")

    with django_capture_on_commit_callbacks() as callbacks:
        Poster.objects.update(title="C")

    assert len(callbacks) == 2  # values of the list expire, then its pages are refreshed


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_deleted_together_send_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a message, and a connection for it, for each of thousands of rows."""
    sent: list[list[str]] = []

    async def send(*messages: tuple[str, dict[str, Any]]) -> None:
        sent.append([message["type"] for _, message in messages])

    for _ in range(20):
        Badge.objects.create(title="A")
    monkeypatch.setattr("dovetail.cable.broadcasting._send", send)

    Badge.objects.all().delete()

    assert sent == [["cable.reauthorize"] * 20, ["cable.message"] * 21]


def test_model_whose_manager_misses_bulk_operations_is_an_error() -> None:
    class Label(BroadcastsRefreshes, BaseModel):
        class Meta:
            app_label = "unchecked"

    [error] = Label.check()

    assert error.id == "dovetail.E001"
    assert "objects = BaseManager()" in str(error.hint)
    assert Badge.check() == Poster.check() == []
