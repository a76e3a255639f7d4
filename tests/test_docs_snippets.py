"""The Python examples of docs/ pass mypy as the project's own code does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT, files

pytestmark = [
    pytest.mark.long("mypy reads the whole project and its libraries first"),
    pytest.mark.xdist_group("mypy"),
]

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def write_snippets(folder: Path) -> dict[str, str]:
    """Write each example to a module.

    A module keeps the line numbers of its page, so that mypy's messages point there. It belongs to
    no installed app: mypy's plugin then checks models by their annotations alone.

    Returns:
        The name of each module's file, and the page that it is from.
    """
    pages = {}
    for path in files():
        if not path.match("docs/*.md"):
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start(1))
            name = f"{path.stem.replace('-', '_')}_{line}.py"
            (folder / name).write_text("\n" * line + match[1], encoding="utf-8")
            pages[name] = str(path)
    return pages


def check(folder: Path, names: list[str]) -> str:
    """Return what mypy, configured as for the project, says about the modules."""
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *(folder / name for name in names)],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in {0, 1}, result.stderr
    return result.stdout


def test_snippets_of_the_docs_pass_mypy(tmp_path: Path) -> None:
    pages = write_snippets(tmp_path)
    assert pages

    found = check(tmp_path, list(pages))

    for name, page in pages.items():
        found = re.sub(rf"^\S*{name}", page, found, flags=re.MULTILINE)
    assert not found, found


def test_mistake_in_a_snippet_is_found(tmp_path: Path) -> None:
    (tmp_path / "mistake.py").write_text(
        "from apps.articles.models import Article\n\nArticle.objects.search(1).nonsense()\n"
    )

    found = check(tmp_path, ["mistake.py"])

    assert "mistake.py:3: error: Argument 1 to" in found
    assert '"nonsense"' in found
