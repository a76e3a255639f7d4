"""The address that mail comes from."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

from config import env
from tests.config.test_settings import run

NAME = "THING"


@pytest.mark.parametrize(
    "value",
    [
        "hello@site.example",
        "<hello@site.example>",
        "hello@localhost",
        "hello@bücher.example",
        "hello+news@[127.0.0.1]",
        "hello@[IPv6:2001:db8::1]",
        "hello@my_site.example",
        "Site <hello@site.example>",
        "Site & Söhne | News <hello@site.example>",
        "Dr. O'Neil <hello@site.example>",
        '"Müller, Jo" <hello@site.example>',
        '"Jo \\"J\\" [x]: @" <hello@site.example>',
    ],
)
def test_mail_can_be_built_with_what_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Kind: a usual form of an address that is refused, or an odd one that no mail can have."""
    monkeypatch.setenv(NAME, value)

    sender = env.sender(NAME)
    message = EmailMessage("Subject", "Text", sender, ["ada@site.example"])

    assert sender == value
    assert "hello" in message.message()["From"]


@pytest.mark.parametrize(
    "value",
    [
        "Müller, Jo <j@x.example>",
        "a@b, c@d",
        "Name <hello@>",
        "Name <a@b> x",
        "Team: a@b;",
        "Team: a@b, c@d;",
        "Team:;",
        "@",
        "<>",
        " ",
        "hello",
        "Name hello@x",
        '"x <a@b>',
        "Jo@home <a@b>",
        "a..b@c",
        "a@b..c",
        "a@-b",
        f"a@{'x' * 64}.example",
        f"a@{'ü' * 64}.example",
        "ü@site.example",
    ],
)
def test_other_text_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Kind: an address that is noticed when the first mail is built."""
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} must be one address.*in quotes"):
        env.sender(NAME)


def test_name_of_the_site_may_have_punctuation() -> None:
    """Kind: a default of development that a new name of the site breaks."""
    code = (
        "from config.settings.parts import names; names.SITE_NAME = 'Söhne, Inc. [x]'\n"
        "from config.settings import dev; print(dev.DEFAULT_FROM_EMAIL)"
    )

    result = run("-c", code, PYTHONPATH="project", PYTHONUTF8="1")

    assert result.stdout.strip() == '"Söhne, Inc. [x]" <hello@localhost>', result.stderr
