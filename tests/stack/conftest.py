"""The stack of process-compose.yaml: the real servers, started the way `nix run` starts them.

These tests need the programs that `nix develop` puts on PATH, and Chromium for the browser tests.
CI runs them separately (`.ci/nix`).
"""

import shutil
from collections.abc import Generator, Iterator

import pytest

# The browser of tests/e2e, and the fixture that records problems on its pages.
from tests.e2e.conftest import browser, playwright, watch  # noqa: F401 - fixtures
from tests.eventually import Eventually
from tests.stack.stack import Stack

times: dict[str, float] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests in one worker, because the stack is started once."""
    for item in items:
        if item.nodeid.startswith("tests/stack/"):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("process-compose"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the stack, stop it, and start it again on the same data for the tests."""
    if not shutil.which("process-compose"):
        pytest.skip("process-compose is not on PATH: run this in `nix develop`")
    stack = Stack(tmp_path_factory.mktemp("stack"))
    with stack.running("first start", times):
        pass
    with stack.running("second start", times):
        yield stack


@pytest.fixture
def eventually() -> type[Eventually]:
    return Eventually


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the ends of the stack's logs to the report of a failed test."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack:
        report.sections += [(f"{name}.log", stack.log(name)[-4000:]) for name in stack.processes()]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if times:
        terminalreporter.section("stack")
        for name, seconds in times.items():
            terminalreporter.line(f"{name}: {seconds:.1f} s")
