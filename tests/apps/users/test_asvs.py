"""The tables in docs/asvs.md cover every requirement, and the tests they name exist."""

import ast
import re

from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "asvs.md").read_text(encoding="utf-8")
# Number of requirements at levels 1 and 2 in each section of OWASP ASVS 5.0.0.
SECTIONS = {"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4}
SECTIONS |= {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2}
# Number at level 1 in each section that has any.
SECTIONS |= {"2.1": 1, "2.2": 2, "2.3": 1, "3.2": 2, "3.3": 1, "3.4": 2, "3.5": 3}
SECTIONS |= {"8.1": 1, "8.2": 2, "8.3": 1, "14.2": 1, "14.3": 1}
WITHOUT_TEST = {"6.1.2", "6.1.3", "6.2.10", "6.4.2", "6.5.3", "6.6.1"}
# Documentation, or nothing to run.
WITHOUT_TEST |= {"2.1.1", "7.1.1", "7.1.2", "7.1.3", "7.2.3"}


def rows() -> dict[str, str]:
    return dict(re.findall(r"^\| (\d+\.\d+\.\d+) \| .+? \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_requirement_has_a_row() -> None:
    expected = [
        f"{section}.{index + 1}" for section, count in SECTIONS.items() for index in range(count)
    ]

    assert list(rows()) == expected


def test_only_known_rows_name_no_test() -> None:
    assert {number for number, text in rows().items() if "::" not in text} == WITHOUT_TEST


def test_named_tests_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", PAGE)
    assert len(named) > 40
    assert len(named) == PAGE.count(".py::")

    for path, name in named:
        tree: ast.Module | ast.ClassDef
        tree = ast.parse((settings.BASE_DIR / path).read_text(encoding="utf-8"))
        for part in name.split("::")[:-1]:
            [tree] = [x for x in tree.body if isinstance(x, ast.ClassDef) and x.name == part]
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name.rpartition("::")[2] in functions, name
