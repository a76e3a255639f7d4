"""Direct uploads in a browser; `s3/` runs the same tests with an S3 server."""

import io
import random
import re
import uuid

from PIL import Image
from playwright.sync_api import FilePayload, Page, Request, expect

from tests.e2e.conftest import DETAIL, Visit, Watch
from tests.e2e.people import AUTHOR

# Where the file is sent: to the site, or to the bucket.
THERE = re.compile(r"/uploads/[0-9a-f-]{36}/content/$|:\d+/uploads$")
SLOW = 150 * 1024  # bytes per second


def picture(name: str = "oak.png", side: int = 400) -> FilePayload:
    """Return a picture that compresses badly: 400 by 400 pixels take about 480 KB."""
    file = io.BytesIO()
    noise = random.Random(1).randbytes(side * side * 3)  # noqa: S311 - no secret
    Image.frombytes("RGB", (side, side), noise).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def open_form(page: Page) -> str:
    """Open the form of a new article and fill it in, without a cover. Return its title."""
    title = f"Pins {uuid.uuid4().hex[:8]}"
    page.goto("/articles/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Body").fill("Cut the tails first.")
    return title


def slow_down(page: Page, rate: int = SLOW) -> None:
    session = page.context.new_cdp_session(page)
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate},
    )


def requests_with_files(page: Page) -> list[Request]:
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if THERE.search(request.url) else None)
    return found


def test_cover_is_uploaded_while_the_form_is_filled_in(visit: Visit) -> None:
    page = visit(AUTHOR)
    title = open_form(page)
    sent = requests_with_files(page)
    slow_down(page)

    page.get_by_label("Cover").set_input_files(picture())
    bar = page.get_by_role("progressbar", name="Uploading “oak.png”")
    expect(bar).to_be_visible()
    bar.evaluate(  # it moves
        """bar => new Promise(resolve => {
             const look = () => bar.value > 0.2 && bar.value < 1 ? resolve() : setTimeout(look, 20)
             look()
           })"""
    )
    kept = page.get_by_role("checkbox", name="Use the uploaded file “oak.png”")
    expect(kept).to_be_checked()
    expect(bar).to_be_hidden()
    slow_down(page, -1)

    with page.expect_request(
        lambda request: request.method == "POST" and request.url.endswith("/articles/new/")
    ) as saved:
        page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert len(sent) == 1
    assert int(saved.value.headers.get("content-length", 0)) < 10_000  # without the file
    cover = page.get_by_role("article").locator("img[src*='covers/']").first
    expect(cover).to_have_js_property("complete", value=True)
    assert cover.evaluate("image => image.naturalWidth") == 400


def test_upload_is_canceled(visit: Visit) -> None:
    page = visit(AUTHOR)
    title = open_form(page)
    slow_down(page)
    page.get_by_label("Cover").set_input_files(picture())
    page.get_by_role("button", name="Cancel upload").click()

    expect(page.get_by_role("progressbar", name="Uploading")).to_be_hidden()
    expect(page.get_by_label("Cover")).to_have_value("")
    expect(page.get_by_label("Cover")).to_be_focused()
    slow_down(page, -1)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("img[src*='covers/']")).to_have_count(0)


def test_upload_is_tried_again(visit: Visit, watch: Watch) -> None:
    page = visit(AUTHOR)
    title = open_form(page)
    page.route(THERE, lambda route: route.abort("connectionreset"))
    page.get_by_label("Cover").set_input_files(picture(side=20))
    expect(page.get_by_text("just save: the file is then sent with the form")).to_be_visible()
    assert page.get_by_label("Cover").evaluate("input => input.files.length") == 1
    watch.problems.clear()  # of the request

    page.unroute(THERE)
    page.get_by_role("button", name="Try the upload again").click()
    expect(page.get_by_role("checkbox", name="Use the uploaded file")).to_be_checked()
    expect(page.get_by_text("just save")).to_be_hidden()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("img[src*='covers/']").first).to_be_visible()


def test_wrong_file_is_an_error_of_the_field(visit: Visit, watch: Watch) -> None:
    watch.expected.add(422)
    page = visit(AUTHOR)
    title = open_form(page)
    fake: FilePayload = {"name": "oak.png", "mimeType": "image/png", "buffer": b"<script>"}
    page.get_by_label("Cover").set_input_files(fake)

    error = page.get_by_role("alert").filter(has_text="“oak.png”: This isn't an image.")
    expect(error).to_be_visible()
    expect(page.get_by_label("Cover")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Cover").set_input_files(picture("elm.png", side=20))
    expect(page.get_by_role("checkbox", name="Use the uploaded file “elm.png”")).to_be_checked()
    expect(error).to_be_hidden()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


@DETAIL
def test_form_that_is_sent_early_waits_for_the_upload(visit: Visit) -> None:
    page = visit(AUTHOR)
    title = open_form(page)
    slow_down(page)
    page.get_by_label("Cover").set_input_files(picture())
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The form is sent as soon as").first).to_be_visible()
    slow_down(page, -1)

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("img[src*='covers/']").first).to_be_visible()


@DETAIL
def test_file_goes_with_the_form_if_it_cannot_be_sent_before(visit: Visit, watch: Watch) -> None:
    """As after a missing CORS rule of the bucket."""
    page = visit(AUTHOR)
    title = open_form(page)
    page.route(THERE, lambda route: route.abort("failed"))
    page.get_by_label("Cover").set_input_files(picture(side=20))
    expect(page.get_by_text("just save")).to_be_visible()
    watch.problems.clear()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("img[src*='covers/']").first).to_be_visible()


@DETAIL
def test_form_with_errors_keeps_the_upload(visit: Visit, watch: Watch) -> None:
    watch.expected.add(422)
    page = visit(AUTHOR)
    page.goto("/articles/new/")
    page.get_by_label("Cover").set_input_files(picture(side=20))
    kept = page.get_by_role("checkbox", name="Use the uploaded file “oak.png”")
    expect(kept).to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Title")).to_have_attribute("aria-invalid", "true")

    expect(kept).to_be_checked()
    page.get_by_label("Title").fill("Tails first")
    page.get_by_label("Body").fill("Then the pins.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("img[src*='covers/']").first).to_be_visible()


@DETAIL
def test_plain_form_works_without_scripts(visit: Visit) -> None:
    page = visit(AUTHOR)
    page.context.route(
        "**/*.js", lambda route: route.fulfill(content_type="text/javascript", body="")
    )
    title = open_form(page)
    page.get_by_label("Cover").set_input_files(picture(side=20))
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("img[src*='covers/']").first).to_be_visible()
