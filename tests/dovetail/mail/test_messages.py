"""The text, the HTML and the headers of mail."""

import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from pytest_django.fixtures import Settings

from dovetail.mail import topics
from dovetail.mail.messages import LONGEST_SUBJECT, compose, paragraphs
from dovetail.mail.topics import Topic

NEWS = Topic("news", label="News", reason="You get this because you like <news> & more.")
EVIL = "Ada\r\nBcc: eve@example.org\u2028<script>alert(1)</script> & Sons"


@pytest.fixture
def templates(settings: Settings, tmp_path: Path) -> Path:
    """Return a folder for the templates of a test."""
    (engine,) = settings.TEMPLATES
    changed = {**engine, "DIRS": [*engine["DIRS"], tmp_path]}
    settings.TEMPLATES = [changed]
    (tmp_path / "hello_subject.txt").write_text("Hello {{ name }}\n")
    (tmp_path / "hello_message.txt").write_text(
        '{% extends "mail/base.txt" %}{% block content %}Dear {{ name }},\n'
        "welcome.\n\n{{ url }}\n\nhttps://other.example/\n\nBye{% endblock %}"
    )
    return tmp_path


def page(message: EmailMultiAlternatives) -> str:
    return str(message.alternatives[0][0])


def hello(**context: Any) -> EmailMultiAlternatives:
    values = {"name": "Ada", "url": "http://localhost:8000/people/?a=1&b=2"}
    return compose("hello", {**values, **context}, to=["ada@example.org"])


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.usefixtures("templates")
def test_html_is_made_from_the_text() -> None:
    message = hello()

    assert message.subject == "Hello Ada"
    assert message.body.startswith("Dear Ada,\nwelcome.\n\nhttp://localhost:8000/people/?a=1&b=2")
    assert re.search(r"<p [^>]*>Dear Ada,<br>welcome.</p>", page(message))
    links = [values["href"] for tag, values in Elements(page(message)).found if tag == "a"]
    assert links == ["http://localhost:8000/people/?a=1&b=2"]  # the site's own only


@pytest.mark.usefixtures("templates")
def test_own_html_is_used_where_there_is_one(templates: Path) -> None:
    (templates / "hello_message.html").write_text(
        '{% extends "mail/base.html" %}{% block content %}<p>By hand: {{ name }}</p>{% endblock %}'
    )

    assert ">By hand: A&amp;B</p>" in page(hello(name="A&B"))


@pytest.mark.usefixtures("templates")
def test_styles_are_in_the_elements_and_the_dark_ones_apply() -> None:
    content = page(hello())

    elements = Elements(content).found
    styles = {str(values.get("class")): values.get("style") or "" for _, values in elements}
    assert "background: #fdfcf9" in styles["card"]
    assert "max-width: 600px" in styles["column"]
    assert content.count("<style>") == 1
    style = content.partition("<style>")[2].partition("</style>")[0]
    dark = re.findall(r"[\w-]+: [^;]+;", style.partition("@media (prefers-color-scheme: dark)")[2])
    assert dark
    assert all(rule.endswith("!important;") for rule in dark)  # or the elements' own win


@pytest.mark.usefixtures("templates")
def test_nothing_is_loaded_and_nothing_runs() -> None:
    elements = Elements(page(hello(name=EVIL))).found

    assert not {tag for tag, _ in elements} & {"img", "link", "script", "iframe", "object", "form"}
    assert not any(name in {"src", "srcset", "background"} for _, a in elements for name in a)
    assert not any(name.startswith("on") for _, values in elements for name in values)


@pytest.mark.usefixtures("templates")
def test_name_becomes_neither_a_header_nor_an_entity() -> None:
    message = hello(name=EVIL)

    parsed = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    assert parsed["Bcc"] is None
    assert parsed["Subject"] == "Hello Ada Bcc: eve@example.org <script>alert(1)</script> & Sons"
    assert "<script>alert(1)</script> & Sons" in message.body
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons" in page(message)


@pytest.mark.usefixtures("templates")
def test_subject_is_bounded() -> None:
    assert len(hello(name="a" * 10_000).subject) == LONGEST_SUBJECT


@pytest.mark.usefixtures("templates")
def test_mail_that_can_be_turned_off_says_how() -> None:
    url = "https://site.example/unsubscribe/token/"
    message = compose("hello", {}, to=["ada@example.org"], topic=NEWS, unsubscribe_url=url)

    assert message.extra_headers["List-Unsubscribe"] == f"<{url}>"
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.body.endswith(f"{NEWS.reason}\nUnsubscribe: {url}")
    assert "you like &lt;news&gt; &amp; more." in page(message)
    assert f'<a href="{url}"' in page(message)


@pytest.mark.usefixtures("templates")
def test_mail_that_cannot_says_nothing_of_it() -> None:
    assert "List-Unsubscribe" not in hello().extra_headers
    assert "nsubscribe" not in page(hello())


def test_signature_of_someone_else_is_no_end() -> None:
    text = "One\n\n-- \nquoted\n\nTwo\n\n-- \nSite"

    assert [paragraph.lines for paragraph in paragraphs(text)] == [
        ["One"],
        ["--", "quoted"],
        ["Two"],
    ]


def test_two_topics_cannot_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_topics", {})
    topics.register(NEWS)
    topics.register(NEWS)

    with pytest.raises(ValueError, match="'news'"):
        topics.register(Topic("news", label="Other", reason=""))
