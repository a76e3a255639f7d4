"""Text from strangers takes time in proportion to its length, whatever it looks like.

Kind: an expression, a validator or a parser that takes quadratic time, so that one request stops a
worker. What is tested is found by walking the project, so that what is added is tested too. Each
thing gets 10,000 and then 100,000 characters, and may take `MARGIN` times as long as a loop over as
many, which is measured right before. Quadratic time is over that by some hundred times.
"""

import ast
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from itertools import chain, product
from typing import Any

import pytest
from django import forms
from django.apps import apps as installed
from django.contrib import admin
from django.contrib.auth.password_validation import get_default_password_validators
from django.forms import BaseForm, Field
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from apps.users.devices import describe
from apps.users.forms import LoginForm
from apps.users.models import User
from apps.users.signup import SignupForm
from apps.users.validators import BreachedPasswordValidator
from dovetail.http.headers import MAX_HEADER
from dovetail.search import analyzer, snippets
from dovetail.storable import storable
from tests.patterns import ENDS, fill, hard_texts, project_modules, uses

LENGTHS = (10_000, 100_000)
SAMPLE = 5_000  # characters that the loop is measured with: its time per character is constant
MARGIN = 50
TRIES = 3  # a measurement may be interrupted
UNITS = {
    "digits": "1234567890",
    "one letter": "a",
    "alternating": "a1",
    "whitespace": " \t",
}
# They nearly match what reads addresses, URLs, user agents, cookies, lists, ranges, tags and JSON.
NEARLY = {
    "addresses": ["a@a.", "a.", "a@", "a" * 30 + "@"],
    "headers": [
        "a=b; ",
        "\\",
        '"\\',
        "a,",
        "a/b;q=1,",
        "bytes=0-0,",
        'W/"a",',
        "Version/1 Safari ",
    ],
    "texts": ["-", "<a ", "&a;", "{{", "[", "\ue000", "\u0301a", "\ufdfa"],
    "URLs": ["%e2", "http://a", "http://a.a/", "[::"],
}
HEADERS = UNITS | {f"nearly {unit!r}": unit for unit in NEARLY["headers"]}
SHAPES = UNITS | {f"nearly {unit!r}": unit for units in NEARLY.values() for unit in units}


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time that this thread takes, which other programs do not change."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def loop(text: str) -> int:
    """Take time in proportion to the length of a text."""
    return sum(ord(character) for character in text)


def assert_linear(
    what: str, read: Callable[[str], object], text: str, *, besides: float = 0
) -> None:
    """Compare the time that it takes to read a text with that of a loop over it.

    Args:
        what: is read, for the message.
        read: takes the text.
        text: from a stranger.
        besides: seconds that reading any text may take.
    """
    ratio = 0.0
    sample = text[:SAMPLE]
    for _ in range(TRIES):
        reference = seconds(partial(loop, sample)) * len(text) / len(sample)
        ratio = (seconds(lambda: read(text)) - besides) / reference
        if ratio < MARGIN:
            return
    pytest.fail(
        f"{what} takes {ratio:.0f} times as long as a loop over {text[:20]!r}…{text[-5:]!r}"
    )


def assert_linear_for_all_shapes(what: str, read: Callable[[str], object]) -> None:
    for length, (name, unit), end in product(LENGTHS, SHAPES.items(), ENDS):
        assert_linear(f"{what}, {name} and {end!r}", read, fill("", unit, length, end))


def tolerant(read: Callable[[str], object]) -> Callable[[str], None]:
    """Return a function that takes an error for an answer: here, only the time counts."""

    def run(text: str) -> None:
        with suppress(Exception):
            read(text)

    return run


def test_regular_expressions() -> None:
    found = uses()  # not while tests are collected, which every worker does
    assert found
    for use, length in product(found, LENGTHS):
        plain = (fill("", unit, length, end) for unit in UNITS.values() for end in ENDS)
        for text in chain(plain, hard_texts(use.pattern, length)):
            assert_linear(f"{use.where}, {use.method} of {use.pattern.pattern}", use, text)


@pytest.mark.parametrize(
    "read",
    [describe, analyzer.clean, snippets.render, storable],
    ids=lambda read: read.__name__,
)
def test_readers_of_text(read: Callable[[str], object]) -> None:
    assert_linear_for_all_shapes(read.__name__, read)


def person() -> User:
    """Return a person with the longest name and address."""
    email = f"{'ab.' * 20}c@{'de.' * 63}org"
    return User(email=email, display_name="Ada " * 20)


def test_password_validators() -> None:
    user = person()
    for validator in [*get_default_password_validators(), BreachedPasswordValidator()]:

        def read(text: str, validator: Any = validator) -> None:
            validator.validate(text, user)

        assert_linear_for_all_shapes(type(validator).__name__, tolerant(read))


def test_validators_of_models() -> None:
    found = {}
    for model in installed.get_models():
        for field in model._meta.get_fields():
            for validator in getattr(field, "validators", []):
                found[type(validator), str(getattr(validator, "regex", ""))] = validator
    assert found
    for validator in found.values():
        assert_linear_for_all_shapes(str(validator), tolerant(validator))


def all_forms(base: type[BaseForm] = BaseForm) -> Iterator[type[BaseForm]]:
    for form in base.__subclasses__():
        yield form
        yield from all_forms(form)


def form_fields() -> Iterator[tuple[str, Field]]:
    """Yield the fields of all forms that the URLs and the admin have loaded, each kind once."""
    get_resolver().url_patterns  # noqa: B018 - loads the views, and they their forms
    request = RequestFactory().get("/")
    request.user = User(is_staff=True, is_superuser=True, is_active=True)
    found: list[Any] = [LoginForm(), SignupForm(), *all_forms()]
    found += [
        model_admin.get_form(request)
        for model_admin in admin.site._registry.values()  # noqa: SLF001
        if model_admin.has_add_permission(request) or model_admin.has_change_permission(request)
    ]
    seen: set[object] = set()
    for form in found:
        fields = form.fields if isinstance(form, BaseForm) else getattr(form, "base_fields", {})
        for name, field in fields.items():
            validators = tuple(repr(type(validator)) for validator in field.validators)
            kind = (type(field), getattr(field, "max_length", None), validators, type(field.widget))
            if kind not in seen and not isinstance(field, forms.FileField):
                seen.add(kind)
                yield f"{getattr(form, '__name__', form.__class__.__name__)}.{name}", field


@pytest.mark.long("fills every field of every form with long texts")
@pytest.mark.django_db
def test_form_fields() -> None:
    names = []
    for name, field in form_fields():
        names.append(name)

        def read(text: str, field: Field = field) -> None:
            data = QueryDict(mutable=True)
            for key in ("x", "x_0", "x_1"):
                data[key] = text
            field.clean(field.widget.value_from_datadict(data, {}, "x"))

        assert_linear_for_all_shapes(name, tolerant(read))
    assert len(names) > 30


def prefixes(patterns: list[Any], before: str = "/") -> Iterator[str]:
    """Yield the text before the first argument of each URL."""
    for pattern in patterns:
        route = str(pattern.pattern).removeprefix("^")
        literal = before + route.partition("<")[0].partition("(")[0].removesuffix("$")
        if isinstance(pattern, URLResolver) and "<" not in route:
            yield from prefixes(pattern.url_patterns, literal)
        elif isinstance(pattern, URLPattern | URLResolver):
            yield literal


def resolve_below(prefix: str, text: str) -> None:
    resolve(prefix + text)


def test_urls() -> None:
    for prefix in sorted(set(prefixes(get_resolver().url_patterns))):
        read = tolerant(partial(resolve_below, prefix))
        for length, (name, unit), end in product(LENGTHS, UNITS.items(), ENDS):
            assert_linear(f"{prefix}, {name}", read, fill("", unit, length, end))


def headers_read() -> set[str]:
    """Return the names of the headers that the project reads."""
    names = {"Accept-Language", "Content-Type", "Cookie", "Host", "If-None-Match", "Referer"}
    for module, tree in project_modules():
        for node in ast.walk(tree):
            key = _key_of_headers(node)
            if key is not None and not ast.unparse(key).startswith("settings."):
                with suppress(NameError):  # a variable of a function
                    value = eval(ast.unparse(key), dict(vars(module)))  # noqa: S307
                    names.add(str(value).removeprefix("HTTP_").replace("_", "-"))
    return {name.title() for name in names if not name.startswith("REMOTE")}


def _key_of_headers(node: ast.AST) -> ast.expr | None:
    """Return the key of `headers.get(key)`, `headers[key]` and `key in headers`, and of META."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        mapping, key = (node.func.value if node.func.attr == "get" else None), node.args[0]
    elif isinstance(node, ast.Subscript):
        mapping, key = node.value, node.slice
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        mapping, key = node.comparators[0], node.left
    else:
        return None
    is_request = isinstance(mapping, ast.Attribute) and mapping.attr in {
        *("headers", "_headers", "META"),
    }
    return key if is_request and "response" not in ast.unparse(node) else None


@pytest.mark.long("sends every header with long texts")
@pytest.mark.django_db
def test_headers(client: Client) -> None:
    """A header is refused before it is parsed, and one within the limit takes linear time."""
    names = headers_read()
    assert {"User-Agent", "Range", "X-Forwarded-For", "Turbo-Frame", "Cookie"} <= names
    client.get("/")  # so that templates are loaded

    def get(name: str, text: str) -> int:
        return client.get("/accounts/login/", headers={name: text}).status_code

    for name in sorted(names):
        read = partial(get, name)
        for shape, unit in HEADERS.items():
            what = f"{name}, {shape}"
            text = fill("", unit, LENGTHS[-1], "!")
            assert_linear(what, read, text)
            assert read(text) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, what
            usual = seconds(partial(read, "a"))
            assert_linear(what, read, fill("", unit, MAX_HEADER, "!"), besides=usual * 5)
