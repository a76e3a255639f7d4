"""Stored files that no row refers to: which they are, and that nothing else is deleted."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from dovetail.media import orphans
from dovetail.media.models import Upload
from dovetail.media.tasks import delete_orphaned_files
from tests.dovetail.media.test_generation import illustrated
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 24 * 3600
OLD = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def place(media: Path, name: str, *, age: float = 2 * DAY) -> str:
    path = media / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    then = time.time() - age
    os.utime(path, (then, then))
    return name


def age_all(media: Path) -> None:
    then = time.time() - 2 * DAY
    for path in media.rglob("*.*"):
        os.utime(path, (then, then))


def names() -> set[str]:
    return {orphan.name for orphan in orphans.find()}


def test_only_old_files_with_random_names_in_owned_folders_count(media: Path) -> None:
    orphaned = {
        place(media, f"covers/{OLD}.webp"),
        place(media, f"covers/{OLD}"),
        place(media, f"avatars/{OLD}.webp.small.avif"),
        place(media, f"covers/{OLD}.webp.{OLD[:16]}.part"),  # of a process that was killed
        place(media, f"covers/{OLD}.webp.small.avif.{OLD[:16]}.part"),
        place(media, f"incoming/{OLD}"),
        place(media, f"incoming/{OLD}_Ab3xYz9"),  # was sent twice at once
        place(media, f"incoming/{OLD}.{OLD[:16]}.part"),
    }
    place(media, f"covers/{OLD[::-1]}.webp.{OLD[:16]}.part", age=DAY / 2)
    place(media, "covers/by-hand.part")
    place(media, f"covers/by-hand.{OLD[:16]}.part")
    place(media, f".{OLD[:16]}.part")
    place(media, f"covers/{OLD[::-1]}.webp", age=DAY / 2)
    place(media, f"covers/deeper/{OLD}.webp")
    place(media, f"backups/{OLD}.webp")
    place(media, "covers/by-hand.webp")
    place(media, f"covers/{OLD}.webp.tar.gz")
    place(media, f"{OLD}.webp")

    assert names() == orphaned


def test_nothing_that_a_row_refers_to_is_an_orphan(media: Path) -> None:
    article, deleted = illustrated(), illustrated()
    deleted.delete()  # may be restored
    age_all(media)

    assert names() == set()

    kept = {str(path.relative_to(media)) for path in media.rglob("*.*")}
    type(article).all_objects.filter(pk=deleted.pk)._raw_delete("default")  # noqa: SLF001 - as raw SQL would
    assert names() == {name for name in kept if name.startswith(str(deleted.cover))}


def test_file_that_was_sent_before_its_form_is_kept_with_its_row(media: Path) -> None:
    upload = Upload.objects.begin(make_user(), name="a.png", size=1, content_type="image/png")
    place(media, str(upload.file.name))

    assert names() == set()


def test_variants_that_a_task_may_be_making_are_none(media: Path) -> None:
    """Kind: what a killed task left, deleted just when the next one stores it again."""
    article = illustrated()
    rows = type(article)._base_manager.filter(pk=article.pk)
    rows.update(cover_variants={"file": str(article.cover), "width": 8, "height": 8})
    age_all(media)

    assert names() == set()


def test_variants_that_are_no_longer_declared_are_orphans(media: Path) -> None:
    article = illustrated()
    former = place(media, f"{article.cover}.poster.webp")
    age_all(media)

    assert names() == {former}


def test_files_are_looked_for_in_batches(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "BATCH", 2)
    illustrated()
    age_all(media)
    orphaned = {place(media, f"covers/{number:032x}.webp") for number in range(5)}

    assert names() == orphaned


def test_file_that_a_row_takes_just_before_is_kept(media: Path) -> None:
    name = place(media, f"covers/{OLD}.webp")
    (orphan,) = orphans.find()

    make_article(cover=name)

    assert not orphans.delete(orphan)
    assert (media / name).exists()


def test_file_that_vanishes_meanwhile_is_no_error(media: Path) -> None:
    name = place(media, f"covers/{OLD}.webp")
    (orphan,) = orphans.find()
    (media / name).unlink()

    assert orphans.delete(orphan)


def test_command_lists_first_and_deletes_then(
    media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    article = illustrated()
    age_all(media)
    name = place(media, f"covers/{OLD}.webp")

    call_command("delete_orphaned_files", "--dry-run")
    told = capsys.readouterr().out
    assert name in told
    assert "1 files, 7\xa0bytes, would be deleted" in told
    assert (media / name).exists()

    call_command("delete_orphaned_files")
    assert "1 files, 7\xa0bytes, deleted" in capsys.readouterr().out
    assert not (media / name).exists()
    assert (media / str(article.cover)).exists()
    call_command("delete_orphaned_files")
    assert "0 files" in capsys.readouterr().out


def test_task_deletes_them(media: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    name = place(media, f"covers/{OLD}.webp")

    delete_orphaned_files()

    assert not (media / name).exists()
    assert name in caplog.text


def test_folder_that_does_not_exist_yet_is_empty(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "none"

    assert list(orphans.find(timedelta(0))) == []
