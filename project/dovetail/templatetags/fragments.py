"""`{% fragment %}` keeps a part of a page, with the queries that it makes.

    {% fragment "footer" user.is_authenticated %}...{% endfragment %}
    {% fragment "newest" user.is_authenticated tags="articles" %}...{% endfragment %}

After its name come all values that it depends on. What depends on rows has tags, is kept in the
cache for all processes, and expires when one of the tags is invalidated. What has no tags depends
on nothing but the code and these values, and is kept in the process, which is about fifty times as
fast.

Own code because Django's `{% cache %}` does neither: it asks the server for each part, once more
for the version of a tag, and lets everyone who comes after a change render at once.
"""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from django import template
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.defaulttags import CsrfTokenNode
from django.template.exceptions import TemplateSyntaxError
from django.template.loader_tags import BlockNode
from django.urls import get_script_prefix
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language

from dovetail.cache.computed import cached, keeps_pages
from dovetail.cache.release import release

register = template.Library()

TTL = 300  # seconds that a fragment with tags is kept, if nothing invalidates it
PATIENCE = 3  # seconds that others wait for the one that renders it
MOST = 512  # fragments in a process; with more, it begins again
OPTIONS = {"tags", "ttl"}
KEYS = (str, int, date, UUID)
OWN = (BlockNode, CsrfTokenNode)  # of one page, or of one person

_kept: dict[tuple[Any, ...], SafeString] = {}


@receiver(setting_changed)
def forget(**_: Any) -> None:
    """Drop what this process keeps: in tests, the settings change, on which it depends."""
    _kept.clear()


class Private:
    """Stands for what differs from person to person, and fails if a fragment would contain it."""

    def __init__(self, fragment: str) -> None:
        self._fragment = fragment

    def __bool__(self) -> bool:
        raise TypeError(
            f"The fragment {self._fragment!r} is shown to others, too: keep {{% csrf_token %}} and "
            "{% turbo_stream_from %} out of it."
        )

    __str__ = __bool__  # type: ignore[assignment] # it never returns


def refuse_in_fragment(context: template.Context) -> None:
    """Raise a TypeError within a fragment: for tags that render what is one person's."""
    # Not isinstance(), which would make the token of a page that has no form, and its cookie.
    if type(private := context.get("csrf_token")) is Private:
        bool(private)


class FragmentNode(template.Node):
    child_nodelists = ()  # Django looks through them for blocks, whenever it renders a page

    def __init__(
        self,
        nodelist: NodeList,
        values: list[FilterExpression],
        options: dict[str, FilterExpression],
        source: str,
    ) -> None:
        self.nodelist = nodelist
        self.values = values
        self.options = options
        self.source = source

    def render(self, context: template.Context) -> SafeString:
        # A name that is missing is None here, and refused: by mistake, all would get the same.
        values = [value.resolve(context, ignore_failures=True) for value in self.values]
        for value in values:
            if not isinstance(value, KEYS):
                raise TypeError(
                    f"A fragment cannot depend on a {type(value).__qualname__} ({self.source}): "
                    "name what it shows, such as the key of a row and the time of its last change."
                )
        if not keeps_pages():
            return self._render(context, values)
        key = (
            self.source,
            *map(repr, values),
            get_language(),
            get_current_timezone_name(),
            get_script_prefix(),
            context.autoescape,
        )
        options = {name: value.resolve(context) for name, value in self.options.items()}
        if tags := options.get("tags"):
            return _shared(
                key, lambda: self._render(context, values), options.get("ttl", TTL), tags.split()
            )
        if (found := _kept.get(key)) is None:
            found = self._render(context, values)
            if len(_kept) >= MOST:
                _kept.clear()
            _kept[key] = found
        return found

    def _render(self, context: template.Context, values: list[Any]) -> SafeString:
        # `csrf_token` is what an included template would render, which the parser does not see.
        with context.push(csrf_token=Private(str(values[0]))):
            return self.nodelist.render(context)


def _shared(
    key: tuple[Any, ...], render: Callable[[], SafeString], ttl: float, tags: list[str]
) -> SafeString:
    text = cached(
        f"fragment:{key!r}",
        lambda: str(render()),
        ttl=ttl,
        version=release(),
        tags=tags,
        patience=PATIENCE,
    )
    return mark_safe(text)  # noqa: S308 - a template has rendered it


@register.tag
def fragment(parser: Parser, token: Token) -> FragmentNode:
    """Keep a part of a page: `{% fragment "name" value… tags="articles" ttl=300 %}`.

    - name: what it is.
    - values: all that it depends on: texts, numbers, dates and keys. Language, time zone and
      autoescaping are added. Don't name what visitors type: they could fill the cache.
    - tags: what invalidates it, separated by spaces, as for `cached`.
    - ttl: with tags, how long it is kept, in seconds.
    """
    nodelist = parser.parse(("endfragment",))
    parser.delete_first_token()
    values, options = [], {}
    for bit in token.split_contents()[1:]:
        name, sign, value = bit.partition("=")
        if sign and name in OPTIONS:
            options[name] = parser.compile_filter(value)
        else:
            values.append(parser.compile_filter(bit))
    if not values:
        raise TemplateSyntaxError("{% fragment %} needs a name.")
    for kind in OWN:
        if nodelist.get_nodes_by_type(kind):
            raise TemplateSyntaxError(
                f"A fragment is the same on all pages and for everyone, so it cannot contain a "
                f"{kind.__name__.removesuffix('Node')}."
            )
    origin = getattr(parser.origin, "template_name", None) or ""
    return FragmentNode(nodelist, values, options, f"{origin}:{token.lineno}")
