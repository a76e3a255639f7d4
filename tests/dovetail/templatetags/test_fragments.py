from collections.abc import Iterator

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.template.context_processors import csrf
from django.test import RequestFactory
from django.utils import translation
from pytest_django.fixtures import Settings

from dovetail.cache.computed import invalidate
from dovetail.templatetags import fragments

DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    fragments.forget()
    yield
    fragments.forget()


def render(template: str, **context: object) -> str:
    return Template(f"{{% load computed turbo %}}{template}").render(Context(context))


def fragment(arguments: str, content: str = "{{ shown }}") -> str:
    return f"{{% fragment {arguments} %}}{content}{{% endfragment %}}"


def test_is_rendered_once_for_each_of_its_values() -> None:
    text = fragment('"a" color')

    assert render(text, color="red", shown="<1>") == "&lt;1&gt;"
    assert render(text, color="red", shown="2") == "&lt;1&gt;"
    assert render(text, color="blue", shown="3") == "3"
    with translation.override("de"):
        assert render(text, color="red", shown="4") == "4"


def test_two_of_the_same_name_in_a_template_are_different() -> None:
    text = fragment('"a"', "one") + "\n" + fragment('"a"', "two")

    assert [render(text) for _ in range(2)] == ["one\ntwo"] * 2


@pytest.mark.django_db(transaction=True)
def test_with_tags_is_shared_until_one_is_invalidated() -> None:
    text = fragment('"a" tags="x y"')

    assert render(text, shown="<1>") == "&lt;1&gt;"
    fragments.forget()  # as another process
    assert render(text, shown="2") == "&lt;1&gt;"
    invalidate("y")
    assert render(text, shown="3") == "3"


def test_nothing_is_kept_in_development(settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {"template_fragments": DUMMY}

    assert [render(fragment('"a"'), shown=n) for n in range(2)] == ["0", "1"]
    assert [render(fragment('"a" tags="x"'), shown=n) for n in range(2)] == ["0", "1"]


def test_process_keeps_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MOST", 3)

    for number in range(10):
        render(fragment('"a" number'), number=number, shown=number)
    assert len(fragments._kept) <= 3  # noqa: SLF001 - nothing else shows it


@pytest.mark.parametrize("value", ["color", "user", "thing.color"])
def test_missing_names_and_objects_are_refused(value: str) -> None:
    """Kind: a typo, by which everyone gets what the first one saw."""
    with pytest.raises(TypeError, match="cannot depend on"):
        render(fragment(f'"a" {value}'), user=object(), thing={})
    assert render(fragment(f'"a" {value}|default:""', "x")) == "x"


def test_token_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(TemplateSyntaxError, match="CsrfToken"):
        render(fragment('"a"', "{% csrf_token %}"))
    with pytest.raises(TypeError, match="shown to others"):
        render(fragment('"a"', "{{ csrf_token }}"), csrf_token="secret")
    with pytest.raises(TypeError, match="shown to others"):
        render(fragment('"a"', '{% turbo_stream_from "articles" %}'))
    assert not fragments._kept  # noqa: SLF001


def test_blocks_and_missing_names_are_refused() -> None:
    with pytest.raises(TemplateSyntaxError, match="Block"):
        render(fragment('"a"', "{% block x %}{% endblock %}"))
    with pytest.raises(TemplateSyntaxError, match="needs a name"):
        render(fragment('tags="x"'))


def test_page_without_forms_makes_no_token() -> None:
    """Kind: a check that evaluates the lazy token, and so gives every visitor a cookie."""
    request = RequestFactory().get("/")
    render('{% turbo_stream_from "articles" %}' + fragment('"a"', "x"), **csrf(request))

    assert "CSRF_COOKIE" not in request.META


def test_values_in_the_cache_are_text() -> None:
    render(fragment('"a" tags="x"', "<b>{{ shown }}</b>"), shown="&")

    assert render(fragment('"a" tags="x"', "<b>{{ shown }}</b>"), shown="&") == "<b>&amp;</b>"
