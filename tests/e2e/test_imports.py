"""An import of articles, whose page follows what the worker does."""

import json
import os
import re
import signal
import subprocess

from playwright.sync_api import Page, expect

from tests.e2e.conftest import DETAIL, STATES, Visit
from tests.e2e.people import is_marked, mark

EDITOR = "editor@example.com"


def choose(page: Page, content: str) -> None:
    page.goto("/articles/imports/")
    page.get_by_label("CSV file").set_input_files(
        {"name": "old blog.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url(re.compile("/articles/imports/.+/"))


def test_import_shows_errors_and_progress_live(visit: Visit) -> None:
    page = visit(EDITOR)
    rows = "".join(f"Imported {number},Wood holds wood.\n" for number in range(1500))

    choose(page, f"title,body\n{rows},no title\n")
    mark(page)
    expect(page.get_by_text("1,500 of 1,501 rows can be imported.")).to_be_visible()
    expect(page.get_by_role("cell", name="1,502")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download it").click()
    assert "no title" in download.value.path().read_text()
    assert is_marked(page)

    page.get_by_role("button", name="Import 1,500 articles").click()
    expect(page.get_by_text("Done: 1,501 of 1,501 rows.")).to_be_visible()
    assert is_marked(page)


@DETAIL
def test_import_goes_on_after_its_worker_was_killed(visit: Visit, site: str) -> None:
    page = visit(EDITOR)
    rows = "".join(f"Long {number},Wood holds wood.\n" for number in range(12_000))
    choose(page, f"title,body\n{rows}")
    page.get_by_role("button", name="Import 12,000 articles").click()
    mark(page)
    expect(page.get_by_text(re.compile(r"Importing: [1-9]\d*,000 of 12,000"))).to_be_visible()

    os.kill(worker_of(site), signal.SIGKILL)

    expect(page.get_by_text("Done: 12,000 of 12,000 rows.")).to_be_visible(timeout=120_000)
    assert is_marked(page)


def worker_of(site: str) -> int:
    """Return the process id of the worker of a stack."""
    up = json.loads(STATES[site].read_text())["pid"]
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        if int(parent) == up and "celery" in command:
            return int(pid)
    raise AssertionError(listed.stdout)


@DETAIL
def test_file_that_cannot_be_read_is_explained(visit: Visit) -> None:
    page = visit(EDITOR)

    choose(page, "name,text\na,b\n")

    expect(page.get_by_role("alert")).to_contain_text("There is no column 'name'")
    page.get_by_role("link", name="Choose another file").click()
    expect(page.get_by_role("link", name="old blog.csv").first).to_be_visible()
