"""The page of background work, while a worker fails."""

import uuid

import kombu
from playwright.sync_api import expect

from dovetail.tasks.queues import queue
from tests.e2e.conftest import DETAIL, Visit
from tests.e2e.people import is_marked, mark, wait_until

ADMIN = "admin@example.com"
TASK = "dovetail.mail.tasks.deliver_mail"


def send_a_mail_that_is_none(broker: str) -> None:
    with kombu.Connection(broker) as connected:
        mail = queue("mail")
        connected.Producer().publish(
            [[{}], {}, {}],
            exchange=mail.exchange,
            routing_key=mail.routing_key,
            declare=[mail],
            headers={"task": TASK, "id": str(uuid.uuid4())},
        )


def test_failure_appears_is_retried_and_discarded(visit: Visit, broker: str) -> None:
    page = visit(ADMIN)
    page.goto("/")
    page.get_by_text("Account menu").locator("..").click()
    page.get_by_role("link", name="Background work").click()
    expect(page.get_by_text("Nothing has failed")).to_be_visible()
    expect(page.get_by_role("cell", name="0").first).to_be_visible()
    expect(page.locator("turbo-cable-stream-source[connected]").first).to_be_attached()
    mark(page)

    send_a_mail_that_is_none(broker)
    failure = page.get_by_role("main").get_by_role("listitem").filter(has_text=TASK)
    expect(failure).to_be_visible()
    page.get_by_text("Traceback", exact=True).click()
    traceback = page.get_by_role("region", name="Traceback")
    expect(traceback).to_contain_text("from_payload")
    send_a_mail_that_is_none(broker)
    expect(failure).to_have_count(2)
    expect(traceback).to_be_visible()  # a refresh does not close what someone reads
    assert is_marked(page)
    page.get_by_role("button", name="Discard all 2 below").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("2 tasks discarded.")).to_be_visible()

    send_a_mail_that_is_none(broker)
    expect(failure).to_have_count(1)
    first = failure.locator("input[name=failure]").get_attribute("value")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("1 task started again.")).to_be_visible()
    # It fails again.
    wait_until(page, lambda: number_of(page.content()) not in {"", first})

    page.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Nothing has failed")).to_be_visible()


def number_of(html: str) -> str:
    """Return the number of the failure on the page."""
    return html.partition('name="failure" value="')[2].partition('"')[0]


@DETAIL
def test_numbers_are_kept_up_to_date(visit: Visit) -> None:
    page = visit(ADMIN)
    page.goto("/staff/jobs/")
    expect(page.get_by_role("cell", name="0").first).to_be_visible()

    for _ in range(2):
        with page.expect_request("**/staff/jobs/now/"):
            pass
