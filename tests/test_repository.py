"""What the README, the docs and the other pages say about the repository is true."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
from django.core.management import find_commands, get_commands

from tests.repository import ROOT, files

ROOT_PAGES = ["README.md", "AGENTS.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
PAGES = [str(path) for path in files() if path.suffix == ".md"]
DOCS = [page for page in PAGES if page.startswith("docs/")]
README_LINES = 80
AGENTS_LINES = 60

# Where a path may start: pages about the back end leave `project/` out, and so on.
BASES = [
    ROOT / base
    for base in (
        *("", "docs", "project", "project/apps", "project/config/settings", "project/templates"),
        *("frontend", "frontend/src/js"),
    )
]
SUFFIXES = r"\.(?:py|md|html|txt|ts|mjs|css|json|toml|yaml|yml|lock|nix|sh|jq)"
# A path starts with a folder that exists, or ends like a file.
FILE = re.compile(rf"[\w.][\w./-]*{SUFFIXES}")
FOLDER = re.compile(r"([\w.][\w.-]*)/[\w./-]*")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What examples create, placeholders, and what is generated.
IGNORED = re.compile(
    r"\bshop(/|$)|\boverlays/site(/|$)|\bNAME\b|\bOWNER/|^docker-compose\.override\.yml$"
    r"|^(\.data|\.env$|\.venv|frontend/(dist|node_modules)|node_modules)"
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def code_of(page: str) -> list[str]:
    """Return the words of the code spans and shell blocks of a page."""
    text = text_of(page)
    blocks = [code for language, code in BLOCK.findall(text) if language in {"sh", "bash"}]
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    return [word.strip("'\"(),;") for code in blocks + spans for word in code.split()]


def commands_in(page: str, pattern: str) -> set[str]:
    """Return what the group of the pattern matches in the code of a page."""
    return set(re.findall(pattern, " ".join(code_of(page))))


def anchors(page: Path) -> set[str]:
    """Return the fragments that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in plain}


def path_of(word: str) -> str | None:
    """Return the path in a word of code, or None where it holds no path."""
    path = word.partition("::")[0]
    folder = FOLDER.fullmatch(path)
    is_path = FILE.fullmatch(path) or (folder and any((b / folder[1]).is_dir() for b in BASES))
    return path if is_path and not IGNORED.search(path) else None


def exists(path: str) -> bool:
    """Return whether the path exists below a base; one name, anywhere in the repository."""
    if "/" not in path:
        return any(file.name == path for file in files()) or (ROOT / path).exists()
    return any((base / path).exists() for base in BASES)


@pytest.mark.parametrize("page", [*ROOT_PAGES, "LICENSE"])
def test_page_exists(page: str) -> None:
    assert text_of(page)


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_resolve(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    broken = []
    for link in links:
        if re.match(r"\w+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    paths = {path for word in code_of(page) if (path := path_of(word))}

    assert sorted(path for path in paths if not exists(path)) == []


@pytest.mark.parametrize("word", ["project/app/core", "dovetail/http/none.py", "no_such.toml"])
def test_path_that_does_not_exist_is_found(word: str) -> None:
    path = path_of(word)

    assert path == word
    assert not exists(path)


@pytest.mark.parametrize("word", ["text/html", "/dev/mailbox/", "articles/<slug>/", "a/b", "8/9"])
def test_other_words_are_not_paths(word: str) -> None:
    assert path_of(word) is None


@pytest.mark.parametrize("page", PAGES)
def test_management_commands_exist(page: str) -> None:
    devtools = importlib.util.find_spec("dovetail.devtools.management")
    assert devtools
    assert devtools.submodule_search_locations
    known = {*get_commands(), *find_commands(devtools.submodule_search_locations[0])}

    named = commands_in(page, r"(?<!\S)(?:project/)?manage\.py ([a-z][\w-]*)")
    assert named - known == set()


def unknown_programs(code: str) -> set[str]:
    """Return the programs after `uv run` that the environment does not have."""
    named = re.findall(r"\buv run (?:--\S+ )*([\w./-]+)", code)
    return {
        name
        for name in named
        if not name.isupper()  # a placeholder
        and not (ROOT / name).is_file()
        and not (Path(sys.executable).parent / name).exists()
    }


@pytest.mark.parametrize("page", PAGES)
def test_programs_that_uv_runs_exist(page: str) -> None:
    assert unknown_programs(" ".join(code_of(page))) == set()


def test_program_that_does_not_exist_is_found() -> None:
    code = "uv run pytest -x uv run lint-importz uv run manage.py up uv run --no-sync ruff check"

    assert unknown_programs(code) == {"lint-importz", "manage.py"}


@pytest.mark.parametrize("page", PAGES)
def test_folders_that_commands_enter_exist(page: str) -> None:
    folders = commands_in(page, r"(?<!\S)cd ([\w./-]+)")
    cloned = commands_in(page, r"git clone \S+/([\w-]+)\.git")

    assert {folder for folder in folders - cloned if not (ROOT / folder).is_dir()} == set()


@pytest.mark.parametrize("page", PAGES)
def test_flake_outputs_exist(page: str) -> None:
    defined = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nix").glob("*.nix"))
    outputs = commands_in(page, r"(?<!\S)\.#(\w+)")

    assert {name for name in outputs if not re.search(rf"\b{name}\b", defined)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_scripts_exist_and_are_executable(page: str) -> None:
    scripts = commands_in(page, r"(?<!\S)((?:bin|\.ci)/[\w-]+)(?!\S)")

    assert {script for script in scripts if not os.access(ROOT / script, os.X_OK)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_npm_scripts_exist(page: str) -> None:
    scripts = json.loads(text_of("frontend/package.json"))["scripts"]
    named = commands_in(page, r"npm run (?:--\S+ )*([\w:-]+)") | commands_in(page, r"npm (test)\b")

    assert named - set(scripts) == set()


@pytest.mark.parametrize("script", ["setup", "dev", "test", "ci"])
def test_readme_names_the_script(script: str) -> None:
    assert f"bin/{script}" in code_of("README.md")


@pytest.mark.parametrize(
    ("page", "limit"), [("README.md", README_LINES), ("AGENTS.md", AGENTS_LINES)]
)
def test_page_stays_short(page: str, limit: int) -> None:
    assert len(text_of(page).splitlines()) < limit


@pytest.mark.parametrize("page", DOCS)
def test_page_starts_with_its_task(page: str) -> None:
    assert re.match(r"# .+\n\n\*\*Task: [^*]+\.\*\*\n", text_of(page))


def test_every_page_of_docs_is_linked() -> None:
    text = "".join(map(text_of, PAGES))
    linked = set(re.findall(r"([\w-]+\.md)(?:#[\w-]+)?\)", text))

    assert [page for page in DOCS if Path(page).name not in linked] == []
