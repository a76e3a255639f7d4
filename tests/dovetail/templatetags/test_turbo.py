import re
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template, TemplateSyntaxError

from apps.users.models import User
from dovetail.cable.streams import verify


def render(source: str, **context: Any) -> str:
    return Template("{% load turbo %}" + source).render(Context(context))


def test_frame_renders_attributes_and_escapes_content() -> None:
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


def test_frame_of_a_model_has_its_dom_id() -> None:
    assert 'id="new_user"' in render("{% turbo_frame user %}{% endturbo_frame %}", user=User())


def test_stream_wraps_its_content_in_a_template() -> None:
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
def test_stream_without_content_has_no_template(source: str) -> None:
    assert "<template>" not in render(source)


def test_frame_needs_an_id() -> None:
    with pytest.raises(TemplateSyntaxError):
        render("{% turbo_frame %}{% endturbo_frame %}")


def test_dom_id_tag_accepts_a_prefix() -> None:
    assert render('{% dom_id user "form" %}', user=User()) == "form_new_user"


def subscription(html: str) -> tuple[str, str]:
    match = re.search(r'channel="([^"]+)" signed-stream-name="([^"]+)"', html)
    assert match
    return match[1], match[2]


def test_subscription_is_bound_to_the_current_user() -> None:
    user = User(email="ada@example.org")
    channel, signed = subscription(render('{% turbo_stream_from "news" %}', user=user))

    assert channel == "TurboStreamsChannel"
    assert verify(channel, signed, str(user.pk)) == "news"
    assert verify(channel, signed, None) is None


@pytest.mark.parametrize("context", [{}, {"user": AnonymousUser()}])
def test_subscription_of_an_anonymous_visitor_is_public(context: dict[str, Any]) -> None:
    channel, signed = subscription(render('{% turbo_stream_from "news" %}', **context))

    assert verify(channel, signed, None) == "news"


def test_subscription_can_name_a_channel() -> None:
    html = render('{% turbo_stream_from user "inbox" channel="Guarded" %}', user=User())

    assert subscription(html)[0] == "Guarded"
