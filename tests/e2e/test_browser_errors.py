"""Kind: a browser refuses an API, and the button does nothing. The page says what to do instead."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.e2e.conftest import DETAIL, Visit, Watch
from tests.e2e.people import AUTHOR, HOME, attach_authenticator, publish, title


def use_a_passkey(page: Page) -> None:
    page.get_by_role("button", name="Use a passkey").click()


def expect_error(page: Page, text: str) -> None:
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text)
    expect(alert).to_be_focused()
    expect(alert).to_be_in_viewport()


def test_passkey_at_an_address_leads_to_localhost(page: Page, site: str) -> None:
    """Kind: browsers accept passkeys only at a name, and people open 127.0.0.1."""
    port = urlsplit(site).port
    page.goto(f"http://127.0.0.1:{port}/accounts/login/?next=/articles/mine/")

    use_a_passkey(page)

    expect_error(page, "Browsers don\u2019t support passkeys at 127.0.0.1")
    page.get_by_role("alert").get_by_role("link").click()
    page.wait_for_url(f"http://localhost:{port}/accounts/login/?next=/articles/mine/")


def test_refused_passkey_prompt_offers_another_attempt(page: Page) -> None:
    """Kind: a prompt that is closed, or a device without a passkey for this site."""
    attach_authenticator(page)
    page.goto("/accounts/login/")

    for _ in range(2):
        use_a_passkey(page)
        expect_error(page, "choose another way")
        page.get_by_role("alert").get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("button", name="Use a passkey")).to_be_focused()


@DETAIL
def test_browser_without_passkeys_says_so(page: Page) -> None:
    """Kind: an API that is missing, as outside of HTTPS and localhost."""
    page.add_init_script("Object.defineProperty(navigator, 'credentials', { value: undefined })")
    page.goto("/accounts/login/")

    use_a_passkey(page)

    expect_error(page, "Your browser doesn\u2019t support passkeys at this address.")


@DETAIL
def test_refused_clipboard_shows_the_text(visit: Visit) -> None:
    """Kind: the clipboard is missing outside of HTTPS and localhost, or forbidden."""
    page = visit(AUTHOR)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    path = publish(page, title())
    page.goto(path)

    page.get_by_role("button", name="Copy link").click()

    expect_error(page, f"copy it yourself: {page.url}")


def test_any_refusal_is_shown(page: Page, watch: Watch) -> None:
    """Kind: an API that no code of the kit uses today, such as notifications or storage."""
    page.goto("/")
    page.evaluate(
        """() => {
          for (const name of ["NotAllowedError", "SecurityError", "QuotaExceededError"])
            void Promise.reject(new DOMException("", name))
        }"""
    )

    expect_error(page, "Your browser didn\u2019t allow this.")
    watch.problems.clear()  # the rejections stay in the console, for developers


def test_leaving_a_page_while_the_next_one_arrives_is_no_error(page: Page) -> None:
    """Kind: Turbo aborts an answer of which a part has arrived, and handles that nowhere."""
    page.goto("/articles/")
    page.evaluate(
        """async () => {
          const { text } = Response.prototype
          Response.prototype.text = () => {
            Response.prototype.text = text
            return Promise.reject(new DOMException("signal is aborted", "AbortError"))
          }
          const received = new Promise((resolve) =>
            addEventListener("turbo:before-fetch-response", resolve, { once: true }))
          Turbo.visit("/articles/dashboard/")
          await received
          Turbo.visit("/")
        }"""
    )

    page.wait_for_url(HOME)
