"""A second factor that staff need, in a browser."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.people import DEMO_PASSWORD, mailed_code, sign_in
from tests.e2e.test_accounts import confirm_app

ADMIN = "admin@example.com"


def test_staff_need_a_second_factor(page: Page) -> None:
    sign_in(page, ADMIN, DEMO_PASSWORD)
    page.goto("/admin/")
    page.wait_for_url("**/accounts/2fa/")
    expect(page.get_by_text("Set up two-factor authentication").first).to_be_visible()

    page.get_by_role("link", name="Add an app").click()
    page.get_by_role("button", name="Send a code").click()
    page.get_by_label("Code").fill(mailed_code(page, ADMIN))
    page.get_by_role("button", name="Confirm").click()
    confirm_app(page)

    page.goto("/admin/")
    expect(page.get_by_role("heading", name=re.compile("administration"))).to_be_visible()
