import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template

from apps.core.templatetags.icons import ICONS, icon

TEMPLATES: Path = settings.PROJECT_DIR / "templates"


def test_icon_is_decoration_in_the_size_asked_for() -> None:
    html = Template('{% icon "bell" "size-4" %}').render(Context())

    assert html.startswith('<svg class="size-4 shrink-0" viewBox="0 0 24 24"')
    assert 'aria-hidden="true"' in html
    assert ICONS["bell"] in html


def test_size_is_escaped() -> None:
    assert "<b>" not in icon("bell", "<b>")


def test_missing_name_renders_no_icon() -> None:
    assert Template("{% icon missing %}").render(Context()) == ""


def test_unknown_icon_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValueError, match=r"There is no icon 'bel': use one of .*bell"):
        icon("bel")


def test_every_icon_that_a_template_names_exists() -> None:
    named = {
        name
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r'{% icon "(\w+)"|icon="(\w+)"', path.read_text(encoding="utf-8"))
        for name in name
        if name
    }

    assert "bell" in named
    assert named <= set(ICONS)
