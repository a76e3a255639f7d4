"""The runbook quotes lines that the site logs, and names settings that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg_pool.pool
import pytest

from tests.repository import ROOT, files

PAGE = ROOT / "docs" / "operate.md"
HEADING = "## The ten most likely failures"
# What starts with a letter, a semicolon or a quotation mark and has a space in it is a line of the
# log; other spans are names.
SPAN = re.compile(r"``([^`]+(?:`[^`]+)*)``|`([^`]+)`")
SETTING = re.compile(r"`([A-Z][A-Z0-9]+_[A-Z0-9_]+)`")


def rows() -> list[list[str]]:
    """Return the cells of the table of failures, without its two lines of heading."""
    section = PAGE.read_text(encoding="utf-8").split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def quoted_lines() -> list[str]:
    spans = [span for row in rows() for span in SPAN.findall(row[1])]
    return [text for span in spans if " " in (text := (span[0] or span[1]).strip())]


def texts() -> Iterator[str]:
    """Yield all texts in the code of the site, and in that of the pool of connections."""
    paths = [ROOT / path for path in files() if path.match("*.py") and path.parts[0] == "project"]
    for path in [*paths, Path(psycopg_pool.pool.__file__)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[sdr]", "\0", node.value)


@pytest.fixture(scope="module")
def all_texts() -> str:
    return "\n".join(texts())


def test_ten_failures_have_a_cause_and_a_cure() -> None:
    assert len(rows()) == 10
    assert all(len(row) == 4 and all(row) for row in rows())


@pytest.mark.parametrize("line", quoted_lines())
def test_quoted_lines_are_in_the_code(line: str, all_texts: str) -> None:
    # The name of the service, and what answers 503, are arguments.
    found = line in all_texts or all(
        part in all_texts for part in re.split(r" for (?:database|migrations); ", line)
    )

    assert found, f"no code logs {line!r}"


def test_settings_exist() -> None:
    known = (ROOT / ".env.example").read_text(encoding="utf-8")

    for name in SETTING.findall(PAGE.read_text(encoding="utf-8")):
        assert f"\n# {name}=" in known, name
