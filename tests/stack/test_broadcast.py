"""A broadcast from a task reaches browsers on two web servers through RabbitMQ and Valkey."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Watch
from tests.eventually import Eventually
from tests.stack.stack import PORTS, ROOT, Stack, is_open

LIMIT = 30_000  # milliseconds; Vite compiles on the first page
SEND = """
from dovetail.turbo.broadcasting import broadcast_later_to
broadcast_later_to(
    "articles", action="append", target="articles", template="components/empty_state.html",
    context={"icon": "page", "title": "From a task", "text": "Rendered by the worker."},
)
"""


@pytest.fixture
def second_web(stack: Stack, eventually: type[Eventually]) -> Iterator[str]:
    """Start a second web server on the services of the stack and return its URL."""
    port = stack.ports["PORT"] + PORTS - 1
    process = subprocess.Popen(
        [
            *("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers-kill-timeout", "5s", "config.asgi:application"),
        ],
        cwd=ROOT / "project",
        env=stack.environment | {"DJANGO_SETTINGS_MODULE": "config.settings.dev"},
    )
    try:
        for _ in eventually():
            if is_open(port):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_broadcast_from_a_task_updates_pages_on_two_servers(
    stack: Stack, second_web: str, browser: Browser, watch: Watch, eventually: type[Eventually]
) -> None:
    first_web = f"http://127.0.0.1:{stack.ports['PORT']}"
    pages = [open_articles(browser, web, watch) for web in (first_web, second_web)]

    stack.manage("shell", "--no-imports", "--command", SEND)

    for page in pages:
        shown = page.locator("turbo-frame#articles").get_by_text("From a task")
        expect(shown).to_be_visible(timeout=LIMIT)
    for _ in eventually():
        log = stack.log("worker")
        if re.search(r"Task dovetail\.turbo\.tasks\.render_broadcast\S* succeeded", log):
            break
    assert not watch.problems


def open_articles(browser: Browser, web: str, watch: Watch) -> Page:
    """Open the list of articles and wait until its stream is connected to the same server."""
    page = browser.new_context().new_page()
    page.set_default_timeout(LIMIT)
    watch.on(page)
    cable = f"{web.replace('http', 'ws', 1)}/cable"
    with page.expect_websocket(lambda socket: socket.url == cable):
        page.goto(f"{web}/articles/")
    connected = page.locator("turbo-cable-stream-source[connected]")
    expect(connected).to_have_count(1, timeout=LIMIT)
    return page
