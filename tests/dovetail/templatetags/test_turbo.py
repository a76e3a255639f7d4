import re
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template, TemplateSyntaxError

from apps.users.models import User
from dovetail.cable.streams import verify


def render(source: str, **context: Any) -> str:
    return Template("{% load turbo %}" + source).render(Context(context))


def test_a_frame() -> None:
    html = render(
        '{% turbo_frame "comments" src=src loading="lazy" data_turbo_action="advance" '
        "disabled=True target=None %}<p>{{ text }}</p>{% endturbo_frame %}",
        text="<Loading>",
        src="/c?a=1&b=2",
    )

    assert html == (
        '<turbo-frame id="comments" src="/c?a=1&amp;b=2" loading="lazy" '
        'data-turbo-action="advance" disabled=""><p>&lt;Loading&gt;</p></turbo-frame>'
    )


def test_a_frame_of_a_model() -> None:
    assert 'id="new_user"' in render("{% turbo_frame user %}{% endturbo_frame %}", user=User())


def test_a_stream() -> None:
    html = render(
        '{% turbo_stream "replace" user method="morph" %}<b>{{ name }}</b>{% endturbo_stream %}',
        user=User(),
        name="<Ada>",
    )

    assert html == (
        '<turbo-stream action="replace" method="morph" target="new_user">'
        "<template><b>&lt;Ada&gt;</b></template></turbo-stream>"
    )


@pytest.mark.parametrize(
    "source",
    [
        '{% turbo_stream "remove" "x" %}{% endturbo_stream %}',
        '{% turbo_stream "remove" targets=".x" %}{% endturbo_stream %}',
        '{% turbo_stream "refresh" %}{% endturbo_stream %}',
    ],
)
def test_a_stream_without_content_has_no_template(source: str) -> None:
    assert "<template>" not in render(source)


def test_a_frame_needs_an_id() -> None:
    with pytest.raises(TemplateSyntaxError):
        render("{% turbo_frame %}{% endturbo_frame %}")


def test_an_id() -> None:
    assert render('{% dom_id user "form" %}', user=User()) == "form_new_user"


def subscription(html: str) -> tuple[str, str]:
    match = re.search(r'channel="([^"]+)" signed-stream-name="([^"]+)"', html)
    assert match
    return match[1], match[2]


def test_a_subscription_is_bound_to_who_looks() -> None:
    user = User(email="ada@example.org")
    channel, signed = subscription(render('{% turbo_stream_from "news" %}', user=user))

    assert channel == "TurboStreamsChannel"
    assert verify(channel, signed, str(user.pk)) == "news"
    assert verify(channel, signed, None) is None


@pytest.mark.parametrize("context", [{}, {"user": AnonymousUser()}])
def test_a_subscription_of_nobody_is_everybodys(context: dict[str, Any]) -> None:
    channel, signed = subscription(render('{% turbo_stream_from "news" %}', **context))

    assert verify(channel, signed, None) == "news"


def test_a_subscription_on_a_channel_of_its_own() -> None:
    html = render('{% turbo_stream_from user "inbox" channel="Guarded" %}', user=User())

    assert subscription(html)[0] == "Guarded"
