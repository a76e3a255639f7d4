"""The files of the repository, for tests that read it as a whole."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
API_SCHEMA = ROOT / "docs/openapi.yaml"


@cache
def files() -> tuple[Path, ...]:
    """Return every file that git tracks or would track, relative to the root.

    Without a git directory, as in a check of the flake, .gitignore decides.
    """
    found = _listed() if (ROOT / ".git").exists() else _walked()
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


@cache
def api_schema() -> dict[str, Any]:
    """Return the committed schema of the API. Do not change it."""
    text = API_SCHEMA.read_text(encoding="utf-8")
    # libyaml takes an eighth of the time of the parser in Python.
    schema: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return schema


def _listed() -> Iterator[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return (Path(name) for name in result.stdout.split("\0") if name)


def _walked() -> Iterator[Path]:
    ignored = set((ROOT / ".gitignore").read_text().replace("/\n", "\n").split())
    for folder, names, leaves in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        names[:] = [name for name in names if not {name, str(here / name)} & ignored]
        yield from (here / leaf for leaf in leaves if not leaf.endswith(".pyc"))
