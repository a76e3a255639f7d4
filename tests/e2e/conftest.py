"""The whole stack, as `manage.py up` starts it, and a browser.

Playwright is started once for the whole folder. It cannot outlive it, because asynchronous tests
cannot run while its loop does.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.conf import settings
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    StorageState,
    expect,
    sync_playwright,
)

from dovetail.devtools.embedded.testing import free_ports, throwaway_data_dir
from tests.e2e.people import DEMO_PASSWORD, is_signed_in, submit

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# These have no windows and need a third of the CPU time, but lack the back/forward cache.
HEADLESS = ("chromium-headless-shell", "chrome-headless-shell")
ARGUMENTS = [
    *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
    # Chromium's own pages, which it would otherwise load beside every page under test.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,OptimizationHints,MediaRouter",
]
START_TIMEOUT = 180  # seconds; the first start also builds the front end
SCREENSHOTS = settings.BASE_DIR / "test-results"
TIMEOUT = 15_000  # milliseconds
STATES: dict[str, Path] = {}  # the file of each running stack, by its address

# For what another test in a browser covers in its main part. Each takes seconds.
DETAIL = pytest.mark.long("looks at a detail in a browser")

Visit = Callable[..., Page]

expect.set_options(timeout=TIMEOUT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of each stack in one worker, so that it is started only once."""
    for item in items:
        if item.nodeid.startswith("tests/e2e/"):
            item.add_marker(pytest.mark.e2e)
            folder = item.nodeid.split("/")[2]  # a folder below this one has a stack of its own
            group = "browser" if "::" in folder else folder
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Start the stack with built assets and fresh state, and return its address."""
    with running_stack(free_ports(4)) as address:
        yield address


@pytest.fixture(scope="session")
def broker(site: str) -> str:
    """Return the URL of the broker of the stack."""
    environment: dict[str, str] = json.loads(STATES[site].read_text())["environment"]
    return environment["CELERY_BROKER_URL"]


@contextmanager
def running_stack(port: int, *arguments: str, **changes: str) -> Iterator[str]:
    """Start a stack with fresh state and yield its address.

    Args:
        port: the port of the web server; the next three are used, too.
        arguments: of `up`.
        changes: changes to the environment.
    """
    services = {"DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in services}
    command = ["up", "--build", "--port", str(port)]
    with throwaway_data_dir(settings.DATA_DIR) as data:
        log = data / "up.log"
        with log.open("w") as output:
            up = subprocess.Popen(
                [sys.executable, "project/manage.py", *command, *arguments],
                cwd=settings.BASE_DIR,
                env=environment | {"DATA_DIR": str(data)} | changes,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            address = _address(up, data, log)
            STATES[address] = data / "up.json"
            yield address
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)


def _address(up: "subprocess.Popen[bytes]", data: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while up.poll() is None and time.monotonic() < deadline:
        try:
            url: str = json.loads((data / "up.json").read_text())["url"]
            with urlopen(f"{url}/livez", timeout=5):  # noqa: S310 - our own server
                return url
        except (FileNotFoundError, URLError, ConnectionError, json.JSONDecodeError):
            time.sleep(0.1)
    raise AssertionError(f"The stack did not start:\n{log.read_text()[-3000:]}")


def launcher(
    playwright: Playwright, names: tuple[str, ...] = HEADLESS + CHROMIUM
) -> Callable[..., Browser]:
    """Return a function that starts the first of these browsers that is on PATH.

    It takes the arguments of `launch`.
    """
    found = next((path for name in names if (path := shutil.which(name))), None)
    if not found:
        pytest.skip(f"No Chromium on PATH (looked for {', '.join(names)})")
    return partial(playwright.chromium.launch, executable_path=found, args=ARGUMENTS)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launcher(playwright)()
    yield browser
    browser.close()


@dataclass
class Watch:
    """Collects problems on pages: console messages, failed requests, unexpected statuses.

    Attributes:
        expected: error statuses that the test provokes on purpose.
    """

    problems: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def on(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # Left to _response, which knows the expected statuses.
        if message.type in {"error", "warning"} and "status of" not in message.text:
            self.problems.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        # Leaving a page aborts what is still loading, which is not a problem.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"request: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"response: {response.status} {response.url}")


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="session")
def screen(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Return the screen of the visitors, who prefer reduced motion unless the run is long."""
    motion = None if pytestconfig.option.long else "reduce"
    return {"viewport": {"width": 1280, "height": 900}, "reduced_motion": motion}


@pytest.fixture
def page(
    browser: Browser,
    site: str,
    watch: Watch,
    screen: dict[str, Any],
    request: pytest.FixtureRequest,
) -> Iterator[Page]:
    """Return the page of a new visitor; any problem on it fails the test."""
    context = browser.new_context(base_url=site, **screen)
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    watch.on(page)
    failed = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()
    assert not watch.problems


@pytest.fixture(scope="session")
def sessions() -> dict[tuple[str, str], StorageState]:
    """Return the cookies of those who have signed in, by site and address."""
    return {}


@pytest.fixture
def visit(
    browser: Browser,
    site: str,
    watch: Watch,
    screen: dict[str, Any],
    sessions: dict[tuple[str, str], StorageState],
) -> Iterator[Visit]:
    """Return a function that opens a blank page of another visitor.

    Someone who is named by their address is signed in, with the session of an earlier test if it
    still lasts. Any problem on a page fails the test.
    """
    contexts: list[BrowserContext] = []

    def visit(email: str = "") -> Page:
        state = sessions.get((site, email))
        context = browser.new_context(base_url=site, storage_state=state, **screen)
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        watch.on(page)
        if email and not (state and is_signed_in(page)):
            submit(page, "/accounts/login/", login=email, password=DEMO_PASSWORD)
            assert is_signed_in(page)
            sessions[site, email] = context.storage_state()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not watch.problems
