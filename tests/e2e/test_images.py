"""Pictures: what is shown while their variants are made, and which of them a browser loads."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.e2e.conftest import STATES, Visit
from tests.e2e.people import follow, is_marked, mark, publish, scroll_to, wait_until

STILL = 0.001  # less than if a letter's width changes; a picture without its box moves 0.1 or more
COUNT_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({ type: "layout-shift", buffered: true });
"""


def cover() -> Any:
    """Return a large picture for a file input."""
    output = io.BytesIO()
    Image.linear_gradient("L").resize((1800, 1013)).convert("RGB").save(output, "JPEG")
    return {"name": "cover.jpg", "mimeType": "image/jpeg", "buffer": output.getvalue()}


def loaded(picture: Locator) -> str:
    """Return the last parts of the name of the file that a browser shows."""
    wait_until(picture.page, lambda: picture.evaluate("image => image.complete"))
    assert picture.evaluate("image => image.naturalWidth") > 0
    path = urlsplit(picture.evaluate("image => image.currentSrc")).path
    return ".".join(path.split(".")[1:])


def box(picture: Locator) -> tuple[int, int]:
    bounds = picture.bounding_box()
    assert bounds
    return round(bounds["width"]), round(bounds["height"])


@pytest.fixture
def signal_worker(site: str) -> Iterator[Callable[[int], None]]:
    """Return a function that sends a signal to the stack's worker, which runs again at the end."""
    schedule = os.fsencode(STATES[site].parent / "celerybeat-schedule")  # in its command
    processes = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if schedule in path.read_bytes()
    ]
    if not processes:
        pytest.skip("needs /proc, to find the worker")

    def send(number: int) -> None:
        for process in processes:
            os.kill(process, number)

    yield send
    send(signal.SIGCONT)


def upload_cover(page: Page, path: str) -> None:
    page.goto(f"{path}edit/")
    page.locator("input[name=cover]").set_input_files(cover())
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main article img").first).to_be_visible()


def test_variants_appear_without_a_reload_and_nothing_moves(
    visit: Visit, browser: Browser, site: str, signal_worker: Callable[[int], None]
) -> None:
    author, reader = visit("reader@example.com"), visit()
    reader.add_init_script(COUNT_SHIFTS)
    path = publish(author, "A picture of a joint")
    signal_worker(signal.SIGSTOP)
    upload_cover(author, path)

    follow(reader, path)
    mark(reader)
    picture = reader.locator("main article > picture img")
    assert loaded(picture) == "webp"  # the original
    width, height = box(picture)
    assert height == round(width * 9 / 16) > 300
    assert picture.get_attribute("fetchpriority") == "high"

    signal_worker(signal.SIGCONT)
    expect(reader.locator("main article > picture source")).to_be_attached()
    wait_until(reader, lambda: loaded(picture) == "webp.card.avif")
    assert box(picture) == (width, height)
    assert is_marked(reader)
    assert sum(reader.evaluate("window.shifts")) < STILL

    for pixels, scale, expected in ((360, 1, "thumbnail"), (360, 2, "card")):
        size: ViewportSize = {"width": pixels, "height": 740}
        context = browser.new_context(base_url=site, viewport=size, device_scale_factor=scale)
        phone = context.new_page()
        phone.add_init_script(COUNT_SHIFTS)
        phone.goto("/articles/")
        card = phone.locator("main article").filter(has_text="A picture of a joint").locator("img")
        scroll_to(card)
        assert loaded(card.first) == f"webp.{expected}.avif"
        assert phone.evaluate("document.documentElement.scrollWidth") <= pixels
        assert sum(phone.evaluate("window.shifts")) < STILL
        context.close()
