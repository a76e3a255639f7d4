"""Previews of mail, and the way from a mail to no more of them."""

from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.people import mail_to, open_mail, publish, sign_up, submit, title

READER = "reader@example.com"
CARDS = {"light": "rgb(253, 252, 249)", "dark": "rgb(27, 36, 32)"}


def test_previews_show_a_mail_in_both_schemes(visit: Visit) -> None:
    page = visit(READER)
    page.goto("/")
    page.get_by_text("Account menu").locator("..").click()
    page.get_by_role("link", name="Email previews").click()
    page.get_by_role("link", name="Choose a new password").click()

    for scheme, color in CARDS.items():
        frame = page.frame_locator(f"iframe[title='HTML, {scheme}']")
        expect(frame.locator(".card")).to_have_css("background-color", color)
        expect(frame.get_by_role("link", name="Choose a new password")).to_be_visible()
        expect(frame.locator(".preview")).to_be_hidden()


def test_link_in_a_mail_turns_its_topic_off(visit: Visit) -> None:
    page, reader = visit(), visit(READER)
    email = sign_up(page)
    names = [title() for _ in range(2)]
    articles = [publish(page, name) for name in names]

    submit(reader, f"{articles[0]}comments/", body="Well cut.")
    open_mail(page, names[0])
    html = page.frame_locator("iframe[title='HTML body']")
    expect(html.get_by_role("link", name="Unsubscribe")).to_be_visible()
    stranger = visit()  # the link needs no sign-in
    stranger.goto(page.get_by_role("link", name="/mail/unsubscribe/").inner_text())
    stranger.get_by_role("button", name="Unsubscribe").click()
    expect(stranger.get_by_role("heading", name="unsubscribed")).to_be_visible()

    page.goto("/people/me/mail/")
    switch = page.get_by_role("switch", name="Comments on your articles")
    expect(switch).not_to_be_checked()
    submit(reader, f"{articles[1]}comments/", body="Well cut.")
    submit(page, "/accounts/password/reset/", email=email)
    mail_to(page, "Choose a new password")  # which was queued later
    assert names[1] not in page.request.get("/dev/mailbox/").text()

    switch.click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Email settings saved.")).to_be_visible()
    expect(switch).to_be_checked()
