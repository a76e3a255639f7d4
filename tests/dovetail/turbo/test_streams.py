import pytest
from django.utils.safestring import mark_safe

from apps.users.models import User
from dovetail.turbo import streams
from dovetail.turbo.streams import TurboStreamResponse, dom_id
from tests.dovetail.shelves.models import Page


@pytest.mark.parametrize("action", ["append", "prepend", "replace", "update", "before", "after"])
def test_action_with_content_has_a_template(action: str) -> None:
    expected = (
        f'<turbo-stream action="{action}" target="list"><template><b>x</b></template>'
        "</turbo-stream>"
    )

    assert streams.stream(action, "list", mark_safe("<b>x</b>")) == expected
    assert getattr(streams, action)("list", mark_safe("<b>x</b>")) == expected


def test_action_without_content_has_no_template() -> None:
    assert streams.remove("x") == '<turbo-stream action="remove" target="x"></turbo-stream>'
    assert streams.refresh() == '<turbo-stream action="refresh"></turbo-stream>'
    assert (
        streams.refresh(request_id="a-b")
        == '<turbo-stream action="refresh" request-id="a-b"></turbo-stream>'
    )


def test_method_and_targets_become_attributes() -> None:
    assert 'action="replace" method="morph"' in streams.replace("x", "", method="morph")
    assert 'method="morph"' in streams.update("x", "", method="morph")
    assert 'targets=".row"' in streams.stream("remove", targets=".row")


def test_unsafe_content_is_escaped() -> None:
    html = streams.append('x" onclick="y', "<script>alert(1)</script>")

    assert "<script>" not in html
    assert 'target="x&quot; onclick=&quot;y"' in html


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"action": "dance", "target": "x"}, "Turbo has no action 'dance'"),
        ({"action": "append"}, "append needs either a target or targets"),
        ({"action": "append", "target": "x", "targets": ".y"}, "append needs either a target"),
        ({"action": "refresh", "target": "x"}, "refresh is for the whole page"),
        ({"action": "append", "target": "x", "method": "morph"}, "append has no method"),
        ({"action": "replace", "target": "x", "method": "melt"}, "replace has no method"),
    ],
)
def test_invalid_stream_raises(arguments: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        streams.stream(**arguments)


def test_dom_id_of_saved_and_unsaved_models() -> None:
    page = Page()
    assert dom_id(page) == "new_page"
    assert dom_id(page, "form") == "form_new_page"

    page._state.adding = False
    assert dom_id(page) == f"page_{page.pk}"
    assert dom_id(page, "comments") == f"comments_page_{page.pk}"
    assert dom_id("list") == "list"
    assert streams.remove(page) == streams.remove(f"page_{page.pk}")
    assert dom_id(User()) == "new_user"


def test_response_contains_all_streams() -> None:
    response = TurboStreamResponse(streams.remove("a"), streams.refresh())

    assert response["Content-Type"] == "text/vnd.turbo-stream.html; charset=utf-8"
    assert response.content.decode() == streams.remove("a") + streams.refresh()
