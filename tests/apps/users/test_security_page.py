"""The table of docs/security.md names tests that there are, and leaves no requirement out."""

import ast
import re

from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "security.md").read_text(encoding="utf-8")
# How many requirements of levels 1 and 2 each section of OWASP ASVS 5.0.0 has.
SECTIONS = {"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4}
SECTIONS |= {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2}
WITHOUT_TEST = {"6.1.2", "6.1.3", "6.2.10", "6.4.2", "6.5.3", "6.6.1", "6.6.2", "6.6.3"}
WITHOUT_TEST |= {"7.1.1", "7.1.2", "7.1.3", "7.2.1", "7.2.3"}  # pages, or nothing to run


def rows() -> dict[str, str]:
    return dict(re.findall(r"^\| ([67]\.\d+\.\d+) \| .+? \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_requirement_has_its_row() -> None:
    wanted = [f"{section}.{at + 1}" for section, many in SECTIONS.items() for at in range(many)]

    assert list(rows()) == wanted


def test_every_row_names_a_test_or_the_reason_is_known() -> None:
    assert {number for number, shown in rows().items() if "::" not in shown} == WITHOUT_TEST


def test_the_tests_that_it_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 40

    for path, name in named:
        tree = ast.parse((settings.BASE_DIR / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
