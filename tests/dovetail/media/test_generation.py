"""Variants of images: what is made, what is recorded, and what is left after faults."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from apps.articles.forms import ArticleForm
from apps.articles.models import Article
from dovetail.cable.streams import stream_name
from dovetail.media import generation, images
from dovetail.media.generation import make_variants
from dovetail.media.names import original_of
from dovetail.media.tasks import make_missing_variants, make_variants as task
from dovetail.media.variants import VariantsField, variant_of
from dovetail.turbo import models as turbo_models
from tests.dovetail.models.test_conflicts import in_threads
from tests.factories import make_article

pytestmark = pytest.mark.django_db(transaction=True)

COVER: Any = Article._meta.get_field("cover_variants")


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Lose the calls of the task, and return their arguments."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(task, "delay", lambda *args: calls.append(args))
    return calls


def webp(width: int, height: int, mode: str = "RGB") -> ContentFile[bytes]:
    output = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(output, "WEBP")
    return ContentFile(output.getvalue(), name="cover.webp")


def illustrated(width: int = 1000, height: int = 500, **fields: Any) -> Article:
    article = make_article(**fields)
    article.cover = webp(width, height)
    article.save()
    return article


def stored(media: Path) -> dict[str, tuple[int, int]]:
    """Return the size of each file by the end of its name, which tells the variant."""
    sizes = {}
    for path in media.rglob("*.*"):
        with Image.open(path) as image:
            sizes[path.name.partition(".")[2]] = image.size
    return sizes


def record(article: Article) -> dict[str, Any]:
    value: dict[str, Any] = Article.all_objects.get(pk=article.pk).cover_variants
    return value


# What is made


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        ((2000, 1000), {"thumbnail": 400, "card": 800, "full": 1600}),
        ((1000, 500), {"thumbnail": 400, "card": 800, "full": 1000}),
        ((800, 3), {"thumbnail": 400, "card": 800}),
        ((90, 60), {"thumbnail": 90}),
    ],
    ids=["larger than all", "between two", "a strip", "smaller than all"],
)
def test_variants_are_never_wider_than_the_original(
    media: Path, size: tuple[int, int], widths: dict[str, int]
) -> None:
    article = illustrated(*size)

    assert record(article) == {
        "file": article.cover.name,
        "width": size[0],
        "height": size[1],
        "made": widths,
    }
    sizes = stored(media)
    assert sizes.pop("webp") == size
    expected = {
        f"webp.{name}.{kind}": (width, max(round(size[1] * width / size[0]), 1))
        for name, width in widths.items()
        for kind in ("avif", "webp")
    }
    assert sizes == expected


def test_transparency_is_kept() -> None:
    article = make_article()
    image = Image.new("RGBA", (500, 500), (200, 0, 0, 0))
    output = io.BytesIO()
    image.save(output, "WEBP")
    article.cover.save("cover.webp", ContentFile(output.getvalue()))

    article.refresh_from_db()
    for kind in ("AVIF", "WEBP"):
        with Image.open(variant_of(article.cover, "thumbnail", kind).path) as variant:
            assert variant.format == kind
            assert variant.convert("RGBA").getpixel((10, 10))[3] == 0  # type: ignore[index]


def test_original_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    decode = images._decode  # noqa: SLF001

    def watch(*args: Any) -> Any:
        opened.append("once")
        return decode(*args)

    monkeypatch.setattr(images, "_decode", watch)
    illustrated()

    assert opened == ["once"]


def test_size_is_known_before_the_variants_are(lost: list[Any]) -> None:
    article = illustrated(300, 200)

    assert record(article) == {"file": article.cover.name, "width": 300, "height": 200}
    assert lost == [("articles.Article", "cover_variants", str(article.pk), article.cover.name)]


def test_specs_of_imagekit_name_the_same_files() -> None:
    article = illustrated()

    article.refresh_from_db()
    spec: Any = article.cover_card_avif  # type: ignore[attr-defined]
    assert spec.url == variant_of(article.cover, "card", "AVIF").url
    assert spec.storage.exists(spec.name)
    assert bool(spec)


# What changes with it


def test_no_edit_conflicts_with_it_and_pages_show_it(
    client: Client, lost: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    article = illustrated()
    before = Article.objects.get(pk=article.pk)
    page = client.get("/articles/").content.decode()
    assert article.cover.url in page
    assert "card.avif" not in page
    streams: list[str] = []
    monkeypatch.setattr(
        turbo_models,
        "broadcast_refreshes_to",
        lambda names: streams.extend(map(stream_name, names)),
    )

    task(*lost[0])

    after = Article.objects.get(pk=article.pk)
    assert after.updated_at == before.updated_at
    opened, now = ArticleForm(instance=before), ArticleForm(instance=after)
    assert opened.initial["version"] == now.initial["version"]
    assert streams == [stream_name(article), "articles"]
    assert "card.avif" in client.get("/articles/").content.decode()
    streams.clear()
    task(*lost[0])  # delivered twice
    assert streams == []


@pytest.mark.parametrize("had_one", [True, False])
def test_image_of_a_form_has_its_size_before_its_variants(
    lost: list[Any], had_one: bool, client: Client
) -> None:
    """Kind: a page that jumps when the picture arrives, until the task has run."""
    article = illustrated(40, 20) if had_one else make_article()
    client.force_login(article.author)
    page = client.get(f"/articles/{article.slug}/edit/")
    fields = {name: value for name, value in page.context["form"].initial.items() if value}
    fields.pop("cover", None)
    client.post(f"/articles/{article.slug}/edit/", fields | {"cover": webp(1000, 500)})

    article = Article.objects.get()
    assert article.cover_variants == {"file": article.cover.name, "width": 1000, "height": 500}
    task(*lost[-1])
    made = record(article)
    article = Article.objects.get()
    article.save()
    assert record(article) == made


def test_saving_an_outdated_row_keeps_the_record(lost: list[Any]) -> None:
    """Kind: saving a row that was loaded before the task ran overwrites the task's result."""
    article = illustrated()
    outdated = Article.objects.get(pk=article.pk)
    task(*lost[0])
    made = record(article)
    assert "made" in made

    outdated.title = "Another title"
    outdated.save()

    assert record(article) == made


# Faults


def replace(article: Article) -> None:
    article.cover = webp(64, 64)
    article.save()


def clear(article: Article) -> None:
    article.cover = ""
    article.save()


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize(
    "change", [replace, clear, Article.hard_delete], ids=["replaced", "cleared", "deleted"]
)
def test_file_that_goes_meanwhile_leaves_nothing(
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Article], object],
) -> None:
    article = illustrated()
    old = str(article.cover)
    encode = generation._encode_all  # noqa: SLF001 - the moment between reading and writing

    def encode_slowly(*args: Any) -> Any:
        encoded = encode(*args)
        change(article)
        return encoded

    monkeypatch.setattr(generation, "_encode_all", encode_slowly)
    assert make_variants(COVER, article.pk, old) == "gone"

    left = [path.name for path in media.rglob("*.*")]
    assert not [name for name in left if original_of(name)]
    assert len(left) == (change is replace)
    monkeypatch.setattr(generation, "_encode_all", encode)
    assert make_variants(COVER, article.pk, old) == "gone"  # delivered again


def test_task_that_was_killed_while_it_wrote_is_repeated(media: Path, lost: list[Any]) -> None:
    article = illustrated()
    half = media / f"{article.cover}.card.avif"
    half.write_bytes(b"half of a file")

    task(*lost[0])

    assert stored(media)["webp.card.avif"] == (800, 400)
    assert not list(media.rglob("*_*"))  # no second file of the same name


@pytest.mark.usefixtures("lost")
def test_two_runs_at_once_leave_one_set_of_files(media: Path) -> None:
    article = illustrated()

    def run() -> None:
        make_variants(COVER, article.pk, str(article.cover), again=True)

    assert in_threads(run, run, run) == [None, None, None]

    assert len(stored(media)) == len([path for path in media.rglob("*") if path.is_file()]) == 7


def test_copy_of_a_row_keeps_the_variants_of_both(media: Path, lost: list[Any]) -> None:
    article = illustrated()
    copy = make_article(cover=str(article.cover))
    for call in lost:
        task(*call)
    assert "made" in record(copy)

    clear(article)

    assert len(stored(media)) == 7
    clear(copy)
    assert not stored(media)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "missing"),
        (b"not an image", "unreadable"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 \x00", "unreadable"),
        (b"x" * 100_001, "too large"),
    ],
)
def test_faulty_original_is_recorded_once(
    settings: Settings,
    media: Path,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
    fault: str,
) -> None:
    settings.IMAGE_MAX_BYTES = 50_000
    (media / "covers").mkdir()
    if content:
        (media / "covers/old.webp").write_bytes(content)

    article = make_article(cover="covers/old.webp")

    assert record(article) == {"file": "covers/old.webp", "fault": fault}
    assert f"the original is {fault}" in caplog.text
    caplog.clear()
    make_missing_variants()
    assert "No variants" not in caplog.text


def test_image_that_takes_too_long_is_recorded(
    lost: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    article = illustrated()

    def encode(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(generation, "_encode_all", encode)
    task(*lost[0])

    assert record(article)["fault"] == "too slow"
    assert "takes too long" in caplog.text
    assert task.soft_time_limit


@pytest.mark.usefixtures("lost")
def test_busy_process_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    article = illustrated()
    monkeypatch.setattr(images, "PATIENCE", 0)

    with images._turn(), pytest.raises(ValidationError):  # noqa: SLF001 - as another thread does
        make_variants(COVER, article.pk, str(article.cover))

    assert "fault" not in record(article)


@pytest.mark.usefixtures("lost")
def test_storage_that_is_unavailable_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    article = illustrated()

    def save(*_: Any, **__: Any) -> None:
        raise OSError("The storage is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "save", save)
        with pytest.raises(OSError, match="unavailable"):
            make_variants(COVER, article.pk, str(article.cover))

    assert "fault" not in record(article)
    assert make_variants(COVER, article.pk, str(article.cover)) == "made"


# What is missing


def test_what_a_lost_task_left_is_made_at_night(
    lost: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = [illustrated() for _ in range(3)]
    articles[1].delete()  # may be restored
    make_article()
    monkeypatch.setattr(generation, "BATCH", 2)
    lost.clear()

    make_missing_variants()
    assert len(lost) == 3
    for call in lost:
        task(*call)
    assert all("made" in record(article) for article in articles)

    lost.clear()
    make_missing_variants()
    assert lost == []


@pytest.mark.usefixtures("lost")
def test_command_makes_what_is_missing_and_can_be_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    articles = [illustrated() for _ in range(3)]
    call_command("make_variants", "--dry-run")
    assert capsys.readouterr().out.count(": to do") == 3
    assert not any("made" in record(article) for article in articles)

    make_variants(COVER, articles[0].pk, str(articles[0].cover))
    call_command("make_variants", "articles.Article.cover")
    assert capsys.readouterr().out.count(": made") == 2

    # Other widths are declared.
    monkeypatch.setattr(COVER, "widths", {"thumbnail": 300, "card": 800})
    call_command("make_variants")
    assert capsys.readouterr().out.count(": made") == 3
    assert record(articles[0])["made"] == {"thumbnail": 300, "card": 800}

    call_command("make_variants")
    assert ": made" not in capsys.readouterr().out
    after = str(articles[0].pk)
    call_command("make_variants", "articles.Article.cover", "--all", "--after", after)
    assert capsys.readouterr().out.count(": made") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["articles.Article.title"], "articles.Article.title has no variants"),
        (["articles.Article.cover", "--after", "x"], "--after"),
        (["--after", "x"], "--after needs one field"),
    ],
)
def test_command_names_a_wrong_argument(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        call_command("make_variants", *arguments)


def test_rolled_back_upload_queues_nothing(lost: list[Any]) -> None:
    with transaction.atomic():
        illustrated()
        transaction.set_rollback(True)

    assert lost == []


def test_migrations_do_not_depend_on_the_widths() -> None:
    field = VariantsField("cover", {"card": 800})
    *_, args, kwargs = field.deconstruct()

    assert (args, kwargs) == ([], {})
