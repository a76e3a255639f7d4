"""Second factors, sessions, data export and account deletion in a browser."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.apps.users.conftest import totp_code
from tests.e2e.conftest import Watch
from tests.e2e.people import (
    HOME,
    attach_authenticator,
    open_mail,
    reauthenticate,
    sign_in,
    sign_out,
    sign_up,
)
from tests.e2e.test_pages import look_at

WALK = pytest.mark.long("walks through pages that tests/apps/users tests without a browser")


def code_of(secret: str) -> str:
    return totp_code(secret=secret, good_for=10)


def add_app(page: Page) -> tuple[str, list[str]]:
    """Add an authenticator app and return its secret and the recovery codes."""
    page.goto("/accounts/2fa/")
    page.get_by_role("link", name="Add an app").click()
    reauthenticate(page)
    return confirm_app(page)


def confirm_app(page: Page) -> tuple[str, list[str]]:
    """Enter the first code of the app, and return its secret and the recovery codes."""
    expect(page.get_by_alt_text("QR code for your authenticator app")).to_be_visible()
    secret = page.get_by_label("Or enter this secret by hand").input_value()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Add app").click()
    page.wait_for_url("**/accounts/2fa/recovery-codes/")
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    return secret, codes.all_inner_texts()


def enter(page: Page, code: str) -> None:
    page.wait_for_url("**/accounts/2fa/authenticate/")
    page.get_by_label("Code").fill(code)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


def finish(page: Page, *, trust: bool = False) -> None:
    page.wait_for_url("**/accounts/2fa/trust/")
    page.get_by_role(
        "button", name="Remember this browser" if trust else "Ask me every time"
    ).click()
    page.wait_for_url(HOME)


def is_signed_in(page: Page) -> bool:
    page.goto("/people/me/edit/")
    return urlsplit(page.url).path == "/people/me/edit/"


@WALK
def test_authenticator_app_can_be_added_and_signs_in(
    page: Page, watch: Watch, tmp_path: Path
) -> None:
    watch.expected.add(422)
    email = sign_up(page)
    secret, codes = add_app(page)
    assert len(codes) == 10
    # The download has the same codes as the page, which shows them only once.
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "codes.txt")
    assert (tmp_path / "codes.txt").read_text().split() == codes
    page.goto("/accounts/2fa/recovery-codes/")
    expect(page.get_by_text("They were shown once")).to_be_visible()
    open_mail(page, "Authenticator app added")

    sign_out(page)
    sign_in(page, email)
    enter(page, "000000")
    expect(page.get_by_text("Incorrect code.")).to_be_visible()
    assert not is_signed_in(page)
    page.goto("/accounts/2fa/authenticate/")
    enter(page, code_of(secret))
    finish(page, trust=True)
    assert is_signed_in(page)

    sign_out(page)
    sign_in(page, email)
    assert is_signed_in(page)  # the browser is trusted


@pytest.mark.long("signs in with a third kind of code")
def test_recovery_code_signs_in(page: Page, watch: Watch) -> None:
    watch.expected.add(422)
    email = sign_up(page)
    _, codes = add_app(page)
    sign_out(page)
    sign_in(page, email)
    enter(page, codes[3])
    finish(page)
    assert is_signed_in(page)

    sign_out(page)
    sign_in(page, email)
    enter(page, codes[3])
    expect(page.get_by_text("Incorrect code.")).to_be_visible()


def test_passkey_signs_in_and_is_a_second_factor(page: Page) -> None:
    attach_authenticator(page)
    email = sign_up(page)
    page.goto("/accounts/2fa/")
    page.get_by_role("main").get_by_role("link", name="Add a key").click()
    reauthenticate(page)
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("main").get_by_role("button", name="Add key").click()
    page.wait_for_url("**/accounts/2fa/recovery-codes/")
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_text("My laptop").first).to_be_visible()

    # The passkey replaces email address, password and code.
    sign_out(page)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(HOME)
    assert is_signed_in(page)

    # As second factor after a password.
    sign_out(page)
    sign_in(page, email)
    page.get_by_role("button", name="Use a passkey or security key").click()
    finish(page)
    assert is_signed_in(page)


@WALK
def test_sessions_are_listed_and_ended(page: Page, browser: Browser, site: str) -> None:
    email = sign_up(page)
    context = browser.new_context(
        base_url=site, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"
    )
    other = context.new_page()
    sign_in(other, email)
    assert is_signed_in(other)

    page.goto("/accounts/sessions/")
    expect(page.get_by_text("Firefox on Linux").first).to_be_visible()
    page.get_by_role("button", name="Sign out of Firefox on Linux").click()
    reauthenticate(page)

    # After reauthentication, the interrupted request is repeated.
    page.wait_for_url("**/accounts/sessions/")
    expect(page.get_by_text("Signed out of that device.")).to_be_visible()
    assert not is_signed_in(other)
    assert is_signed_in(page)
    context.close()


@WALK
def test_account_is_deleted_and_restored(page: Page) -> None:
    email = sign_up(page)
    page.goto("/people/me/data/")
    page.get_by_role("link", name="Delete my account").click()
    reauthenticate(page)
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("Your account has been deleted.", exact=False).first).to_be_visible()
    assert not is_signed_in(page)
    open_mail(page, "Your account has been deleted")

    sign_in(page, email)

    expect(page.get_by_text("Welcome back.", exact=False).first).to_be_visible()
    assert is_signed_in(page)


@pytest.mark.long("waits for the worker")
def test_data_export_is_emailed(page: Page) -> None:
    email = sign_up(page)
    page.goto("/people/me/data/")
    page.get_by_role("button", name="Request my data").click()
    reauthenticate(page)
    expect(page.get_by_text("Your data is being collected", exact=False).first).to_be_visible()
    open_mail(page, "Your data is ready")
    page.goto("/people/me/data/")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    assert email in Path(download.value.path()).read_text()


@pytest.mark.long("looks at further pages")
def test_pages_work_in_both_themes_and_on_a_phone(page: Page) -> None:
    sign_up(page)
    add_app(page)
    for path in (
        "/accounts/2fa/",
        "/accounts/2fa/recovery-codes/",
        "/accounts/2fa/totp/deactivate/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/",
        "/accounts/sessions/",
        "/accounts/3rdparty/",
        "/accounts/reauthenticate/",
        "/people/me/data/",
        "/people/me/deletion/",
    ):
        look_at(page, path)
