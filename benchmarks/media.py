"""Measure the variants of images: what they take, what they save, and what they cost a page.

    uv run benchmarks/media.py [--rounds 400] [--images 6]

- **formats** encodes pictures like photographs in the largest width, with the settings of the kit
  and others, in turns.
- **making** makes all variants of a cover: as the task does, from one decoded original, and as
  imagekit does, which decodes it for each of them.
- **bytes** sums up what the pictures of one page of the list weigh, for a phone and for a screen
  with twice the pixels, as originals and as variants.
- **tag** renders a card's picture by `{% picture %}` and as a plain `<img>`.
- **pages** opens the home page and the list without kept fragments, with either. The time is the
  processor's, of this process.

Prints the tables in benchmarks/README.md.
"""

import argparse
import io
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageStat

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey  # noqa: E402

SIZE = (2000, 1125)  # of an original
PAGES = ["/", "/articles/"]
CARDS = 12  # on a page of the list
OTHERS: dict[str, dict[str, Any]] = {
    "WebP, quality 80": {"format": "WEBP", "quality": 80},
    "AVIF, quality 60, speed 8": {"format": "AVIF", "quality": 60, "speed": 8, "max_threads": 1},
    "AVIF, quality 60, speed 6": {"format": "AVIF", "quality": 60, "speed": 6, "max_threads": 1},
    "AVIF, quality 60, speed 4": {"format": "AVIF", "quality": 60, "speed": 4, "max_threads": 1},
}


def run_with_services(arguments: list[str]) -> int:
    """Run this script again, with throwaway services."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    with throwaway_postgres(ROOT / ".data") as postgres, throwaway_valkey() as valkey:
        environment = {"DATABASE_URL": postgres, "VALKEY_URL": valkey, "ENV_FILE": os.devnull}
        command = [sys.executable, __file__, "--inside", *arguments]
        return subprocess.run(command, env=os.environ | environment, check=False).returncode


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int, calls: int) -> dict[str, float]:
    """Return the median of the processor time that each way takes, in microseconds.

    Each round calls each of them several times, since the clock of the processor has large steps,
    and every other round in the opposite order.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(max(rounds, 2)):
        for name, call in list(ways.items())[:: -1 if number % 2 else 1]:
            start = time.process_time()
            for _ in range(calls):
                call()
            times[name].append(1e6 * (time.process_time() - start) / calls)
    return {name: statistics.median(spent) for name, spent in times.items()}


def photograph(seed: int) -> Image.Image:
    """Return a picture with soft and hard edges, a grain, and different colors for each seed."""
    random.seed(seed)
    width, height = SIZE
    shapes = Image.effect_mandelbrot(SIZE, (-2, -1.5, 1, 1.5), 60 + seed).convert("RGB")
    colors = Image.new("RGB", (width // 40, height // 40))
    pixels = [
        (random.randrange(256), random.randrange(256), random.randrange(256))  # noqa: S311 - no secret
        for _ in range(colors.width * colors.height)
    ]
    colors.putdata(pixels)
    grain = Image.merge("RGB", [Image.effect_noise(SIZE, 60) for _ in range(3)])
    light = colors.resize(SIZE, Image.Resampling.BICUBIC)
    blurred = grain.filter(ImageFilter.GaussianBlur(3))
    return Image.blend(Image.blend(shapes, light, 0.6), blurred, 0.3)


def original(image: Image.Image) -> bytes:
    """Return a picture as the kit stores it."""
    output = io.BytesIO()
    image.save(output, "WEBP", quality=85)
    return output.getvalue()


def difference(image: Image.Image, encoded: bytes) -> float:
    """Return the peak signal-to-noise ratio of an encoded picture, in decibels."""
    with Image.open(io.BytesIO(encoded)) as decoded:
        squares = ImageStat.Stat(ImageChops.difference(image, decoded.convert("RGB"))).rms
    mean = sum(square**2 for square in squares) / len(squares)
    return 10 * math.log10(255**2 / mean)


def measure_formats(images: list[Image.Image]) -> None:
    spent: dict[str, list[float]] = {name: [] for name in OTHERS}
    bytes_of: dict[str, list[int]] = {name: [] for name in OTHERS}
    quality: dict[str, list[float]] = {name: [] for name in OTHERS}
    for image in images:
        small = image.resize((1600, 900), Image.Resampling.LANCZOS)
        for name, options in OTHERS.items():
            output, start = io.BytesIO(), time.process_time()
            small.save(output, **options)
            spent[name].append(time.process_time() - start)
            bytes_of[name].append(output.tell())
            quality[name].append(difference(small, output.getvalue()))
    print("| 1600 pixels wide | KB | dB | processor time, s | WebP: 1 |\n|---|---:|---:|---:|---:|")
    webp = sum(bytes_of["WebP, quality 80"])
    for name in OTHERS:
        print(
            f"| {name} | {statistics.mean(bytes_of[name]) / 1e3:.0f} "
            f"| {statistics.mean(quality[name]):.1f} | {statistics.median(spent[name]):.2f} "
            f"| {sum(bytes_of[name]) / webp:.2f} |"
        )


def measure_making(articles: list[Any]) -> None:
    from dovetail.media import generation  # noqa: PLC0415 - after the settings

    variants: Any = articles[0]._meta.get_field("cover_variants")

    def by_task(article: Any) -> int:
        contents, _ = generation._encode_all(variants, article.cover)  # noqa: SLF001
        return len(contents)

    def by_imagekit(article: Any) -> int:
        return len([spec.generate() for _, spec in variants.specs(article.cover)])

    ways: dict[str, Callable[[Any], int]] = {"the task": by_task, "imagekit": by_imagekit}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for article in articles:
        for name, make in ways.items():
            start = time.process_time()
            count = make(article)
            spent[name].append(time.process_time() - start)
    print(f"\n| {count} variants | processor time, s | imagekit: 1 |\n|---|---:|---:|")
    for name in ways:
        ratio = statistics.median(spent[name]) / statistics.median(spent["imagekit"])
        print(f"| {name} | {statistics.median(spent[name]):.2f} | {ratio:.2f} |")


def measure_bytes(articles: list[Any]) -> None:
    from dovetail.media.variants import variant_of  # noqa: PLC0415

    def page(file: Callable[[Any], Any]) -> Any:
        return CARDS * statistics.mean(file(article).size for article in articles) / 1e3

    whole = page(lambda article: article.cover)
    print(f"\n| {CARDS} covers | KB | originals: 1 |\n|---|---:|---:|")
    print(f"| originals | {whole:.0f} | 1.00 |")
    for variant, who in (("thumbnail", "phone"), ("card", "phone or screen with twice the pixels")):
        for kind in ("AVIF", "WEBP"):
            weight = page(lambda article, v=variant, k=kind: variant_of(article.cover, v, k))  # type: ignore[misc]
            print(f"| {variant}, {kind}: {who} | {weight:.0f} | {weight / whole:.2f} |")


def plain(file: Any, *_: str, width: int, height: int, **options: Any) -> str:
    """Return what the templates had before: the original, whatever its size."""
    from django.utils.html import format_html  # noqa: PLC0415

    return format_html(
        '<img src="{}" alt="" width="{}" height="{}" loading="lazy" class="{}">',
        *(file.url, width, height, options["class"]),
    )


def picture_nodes() -> list[Any]:
    """Return the nodes of the templates that render covers and avatars."""
    from django.template.library import SimpleNode  # noqa: PLC0415
    from django.template.loader import get_template  # noqa: PLC0415

    from dovetail.templatetags.pictures import picture  # noqa: PLC0415

    templates: list[Any] = [
        get_template(name) for name in ("articles/_cover.html", "components/avatar.html")
    ]
    return [
        node
        for template in templates
        for node in template.template.nodelist.get_nodes_by_type(SimpleNode)
        if node.func is picture
    ]


def measure_tag(articles: list[Any], rounds: int) -> None:
    from dovetail.templatetags.pictures import picture  # noqa: PLC0415

    file = articles[0].cover
    options: dict[str, Any] = {"width": 1200, "height": 675, "class": "w-full object-cover"}
    ways: dict[str, Callable[[], Any]] = {
        "plain `<img>`": lambda: plain(file, **options),
        "`{% picture %}`": lambda: picture(file, "thumbnail", "card", sizes="20rem", **options),
    }
    times = in_turns(ways, rounds, 100)
    print("\n| picture of a card | processor time, µs |\n|---|---:|")
    for name, spent in times.items():
        print(f"| {name} | {spent:.0f} |")


def measure_pages(rounds: int) -> None:
    from django.conf import settings  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415

    from dovetail.templatetags.pictures import picture  # noqa: PLC0415

    settings.CACHES["template_fragments"] = {
        "BACKEND": "django.core.cache.backends.dummy.DummyCache"
    }
    connection.settings_dict["CONN_MAX_AGE"] = None  # as with the pool of the web server
    application: Any = get_wsgi_application()
    factory: Any = RequestFactory(SERVER_NAME="localhost")

    nodes = picture_nodes()

    def visit(url: str, function: Any = picture) -> bytes:
        """Answer a request without a server, whose time is the same either way."""
        for node in nodes:
            node.func = function
        answers: list[str] = []
        environ = factory._base_environ(PATH_INFO=url)  # noqa: SLF001 - no public way
        response = application(environ, lambda status, _: answers.append(status))
        body = b"".join(response)
        response.close()
        if answers != ["200 OK"]:
            sys.exit(f"error: {url} was answered with {answers}")
        return body

    print("\n| page | plain `<img>`, ms | `{% picture %}`, ms | ratio |\n|---|---:|---:|---:|")
    for url in PAGES:
        if b".card.avif" not in visit(url) or b".card.avif" in visit(url, plain):
            sys.exit(f"error: {url} shows other pictures than it should")
        ways: dict[str, Callable[[], Any]] = {
            "plain": lambda url=url: visit(url, plain),  # type: ignore[misc]
            "picture": lambda url=url: visit(url),  # type: ignore[misc]
        }
        times = in_turns(ways, rounds // 5, 5)
        before, after = times["plain"] / 1e3, times["picture"] / 1e3
        print(f"| {url} | {before:.2f} | {after:.2f} | {after / before:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        sys.exit(run_with_services(sys.argv[1:]))

    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.files.base import ContentFile  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from tests.factories import make_article, make_user  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        settings.MEDIA_ROOT = folder
        images = [photograph(seed) for seed in range(options.images)]
        author = make_user()
        author.avatar.save("me.webp", ContentFile(original(images[0].resize((512, 512)))))
        articles = []
        for number in range(CARDS):
            article = make_article(author, title=f"Article {number}")
            article.cover.save("a.webp", ContentFile(original(images[number % len(images)])))
            article.refresh_from_db()
            articles.append(article)
        chosen = articles[: len(images)]
        measure_formats(images)
        measure_making(chosen)
        measure_bytes(chosen)
        measure_tag(chosen, options.rounds)
        measure_pages(options.rounds)


if __name__ == "__main__":
    main()
