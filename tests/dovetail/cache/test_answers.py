"""Kept pages that the event loop answers with, which must not differ from Django's answers.

tests/apps/test_visitor_pages.py asks as all kinds of visitors for all pages.
"""

import asyncio
import time
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from config.settings.parts.http import MIDDLEWARE
from dovetail.cache import answers as module
from dovetail.cache.answers import Answers, Questions, with_visitor_pages
from dovetail.cache.computed import invalidate, kept, words_of
from dovetail.cache.pages import LOCALE, NOTES, Note
from dovetail.devtools.embedded.testing import free_port
from tests.dovetail.http.loop import Loop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("behind_proxy")]

LIMIT = 30  # seconds, for a busy machine
PAGE = "/articles/"
CSRF = f"{django_settings.CSRF_COOKIE_NAME}={'x' * 32}"
STREAM = {"accept": "text/vnd.turbo-stream.html, text/html"}


@pytest.fixture
def site() -> Loop:
    return Loop(with_visitor_pages)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"user_agent": "Other", "accept_language": "de", "referer": "https://other.example/"},
        {"cookie": CSRF},
        {"accept": "*/*", "accept_encoding": "gzip, br"},
        {"if_none_match": '"other"'},
    ],
    ids=str,
)
async def test_other_visitors_are_answered_as_the_first(
    site: Loop, request_: dict[str, str]
) -> None:
    await site.get(PAGE, {})

    answer = await site.get(PAGE, request_)

    assert site.left == 1
    assert answer == await site.get(PAGE, request_, on_loop=False)
    assert answer[0] == 200
    assert (b"strict-transport-security", b"max-age=3600") in answer[1]


async def test_head_has_the_headers_of_the_page(site: Loop) -> None:
    page = await site.get(PAGE, {})

    status, headers, body, _ = await site.get(PAGE, {"method": "HEAD"})

    assert (status, headers, body, site.left) == (200, page[1], b"", 1)
    assert dict(headers)[b"content-length"] == str(len(page[2])).encode()


@pytest.mark.parametrize(
    "request_",
    [
        {"cookie": "sessionid=x"},
        {"cookie": f"{CSRF}; theme=dark"},
        {"cookie": "messages=x"},
        {"authorization": "Bearer x"},
        {"origin": "https://other.example"},
        {"if_match": '"other"'},
        {"range": "bytes=1-2"},
        {"method": "POST"},
        {"x_forwarded_proto": "http"},
        {"host": "other.example"},
        {"turbo_frame": "other"},
        {"turbo_frame": "x" * 600},
        {"accept_language": "de"},
        STREAM,
    ],
    ids=lambda request: str(request)[:40],
)
async def test_what_may_be_another_page_is_left_to_django(
    site: Loop, settings: Settings, request_: dict[str, str]
) -> None:
    place = MIDDLEWARE.index("django.middleware.common.CommonMiddleware")
    settings.MIDDLEWARE = [*MIDDLEWARE[:place], LOCALE, *MIDDLEWARE[place:]]
    await site.get(PAGE, {})

    answer = await site.get(PAGE, request_)

    assert site.left == 2
    assert answer[0] == (await site.get(PAGE, request_, on_loop=False))[0]


@pytest.mark.parametrize(
    "path", ["/articles/?category=design", "/articles/?utm=1", "/accounts/login/"]
)
async def test_pages_have_their_own_answers(site: Loop, path: str) -> None:
    await site.get(PAGE, {})

    answer = await site.get(path, {})

    assert site.left == 2
    assert answer[2] != (await site.get(PAGE, {}))[2]


async def test_what_is_not_kept_is_never_answered_again(site: Loop) -> None:
    for number in range(3):
        await site.get("/accounts/login/", {})
        assert site.left == number + 1


@pytest.mark.parametrize("tag", ["W/{}", "{}", '"other", W/{}', "*"])
async def test_browser_that_has_the_page_is_not_sent_it(site: Loop, tag: str) -> None:
    headers = dict((await site.get(PAGE, {}))[1])
    request = {"if_none_match": tag.format(headers[b"etag"].decode().removeprefix("W/"))}

    first, second = await site.get(PAGE, request), await site.get(PAGE, request)

    assert first == second == await site.get(PAGE, request, on_loop=False)
    assert (first[0], first[2], site.left) == (304, b"", 2)
    assert (await site.get(PAGE, {}))[0] == 200


async def test_each_answer_has_an_identifier_of_its_own(site: Loop) -> None:
    for _ in range(3):
        await site.get(PAGE, {})

    assert site.left == 1
    assert len(set(filter(None, site.identifiers))) == 3


async def test_change_shows_at_once(site: Loop) -> None:
    before = [await site.get(PAGE, {}) for _ in range(2)]
    await sync_to_async(invalidate)("articles")

    assert site.left == 1
    assert before[0] == before[1]
    await site.get(PAGE, {})
    assert site.left == 2
    await site.get(PAGE, {})
    assert site.left == 2


@pytest.mark.parametrize("clock", ["time", "monotonic"])
async def test_expired_page_is_not_answered_with(
    site: Loop, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    """Kind: a page that is kept for hours, because the clock was set back."""
    await site.get(PAGE, {})
    later = getattr(time, clock)() + 3600

    clocks = {"time": time.time, "monotonic": time.monotonic, clock: lambda: later}
    monkeypatch.setattr(module, "time", SimpleNamespace(**clocks))
    await site.get(PAGE, {})

    assert site.left == 2


async def test_without_the_cache_django_answers(site: Loop, settings: Settings) -> None:
    await site.get(PAGE, {})
    down = {
        "BACKEND": "dovetail.cache.valkey.ValkeyCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}",
    }
    settings.CACHES = settings.CACHES | {"computed": down}

    assert (await site.get(PAGE, {}))[0] == 200
    assert site.left == 2


async def test_one_question_is_for_all_that_have_come_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kind: an answer from before a change, for a request from after it."""
    asked: list[set[str]] = []
    is_asked, may_go_on = Event(), Event()

    def answer(tags: set[str]) -> dict[str, str]:
        asked.append(tags)
        is_asked.set()
        words = {"x": "new" if len(asked) > 1 else "old", "y": "old"}
        assert may_go_on.wait(LIMIT)
        return words

    monkeypatch.setattr(module, "words_of", answer)
    questions = Questions()
    x, y = (Note((tag,), time.time() + 60, ["old"]) for tag in "xy")

    first = asyncio.create_task(questions.are_same(x))
    assert await asyncio.to_thread(is_asked.wait, LIMIT)
    others = [asyncio.create_task(questions.are_same(note)) for note in (x, x, y)]
    gone = asyncio.create_task(questions.are_same(x))
    await asyncio.sleep(0)
    gone.cancel()
    may_go_on.set()

    assert await first
    assert await asyncio.gather(*others) == [False, False, True]
    assert asked == [{"x"}, {"x", "y"}]


async def test_failed_question_is_answered_by_django(
    site: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_tags: set[str]) -> dict[str, str]:
        raise RuntimeError("broken")

    await site.get(PAGE, {})
    monkeypatch.setattr(module, "words_of", fail)

    assert (await site.get(PAGE, {}))[0] == 200
    assert site.left == 2
    assert "could not be asked" in caplog.text


async def test_what_comes_in_pieces_is_not_kept() -> None:
    """Kind: the last piece, sent as the whole page."""

    async def stream(scope: Any, _receive: Any, send: Any) -> None:
        scope[NOTES].append(Note((), time.time() + 60, []))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    site = Loop(lambda _django: with_visitor_pages(stream))
    for _ in range(2):
        assert (await site.get(PAGE, {}))[2] == b"page"


def test_process_remembers_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", 30_000)
    answers = Answers()
    note = Note((), time.time() + 60, [])
    for name in "abac":
        if not answers.get((name,)):
            answers.keep((name,), [note], 200, [], b"x" * 10_000)

    assert [bool(answers.get((name,))) for name in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    "name", ["tests.counts_visits", "dovetail.http.limits.WriteLimitMiddleware"]
)
def test_all_is_left_to_django_behind_middleware_that_it_does_not_know(
    settings: Settings, name: str
) -> None:
    async def django(_scope: Any, _receive: Any, _send: Any) -> None:
        """Stand for the application."""

    settings.MIDDLEWARE = [name, *MIDDLEWARE]

    assert with_visitor_pages(django) == django


def test_words_are_those_of_the_value() -> None:
    entry = kept("figure", lambda: 1, ttl=60, tags=["x", "y"])

    words = words_of({"x", "y"})
    assert entry.words == [words["x"], words["y"]]
    assert set(words_of({"x", "unknown"})) == {"x"}
