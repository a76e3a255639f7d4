"""The shell commands of the documentation, and what the mark above each block says about it.

A block of `sh` is run as it is printed, in a clone of the repository whose site `bin/dev` has
started. A comment on the line above its fence says what differs:

| Mark | |
|---|---|
| `<!-- not run: REASON -->` | it can't be run in a test; the reason says why |
| `<!-- run by: FILE -->` | this test or script runs it, and names the page |
| `<!-- run: OPTION; OPTION -->` | it is run with these options |

| Option | |
|---|---|
| `production` | in a clone as on a server, with the settings of production, and S3 |
| `replace TEXT with OTHER` | as a reader replaces a placeholder; OTHER may be `$SITE` |
| `type LINE, LINE` | on a terminal, and each line is typed when a prompt waits |

SITE is the address of the site. With `production`, there are KEY and SECRET, of S3, in its place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.repository import ROOT, files

SHELL = {"sh", "bash", "console", "shell", "zsh"}
FENCE = re.compile(r"^( *)(```+)([\w-]*)\s*$")
MARK = re.compile(r"^\s*<!-- (not run|run by|run): (.*) -->$")
WORDS = 3  # of a reason, at least
HELP = """\
Change the commands so that they work as printed, one after another, in a clone with a site that
`bin/dev` has started; or write on the line above the fence one of
  <!-- not run: why a test can't run it -->
  <!-- run by: tests/FILE.py -->
  <!-- run: production; replace TEXT with $SITE; type LINE, LINE -->
tests/commands.py explains them."""


class MarkError(Exception):
    """A mark can't be understood; the message says where, and what to write."""


@dataclass(frozen=True)
class Block:
    """Shell commands on a page.

    Attributes:
        page: the path of the page.
        line: the number of the line with the fence.
        code: the commands, as they are printed.
        skipped: why they are not run, or "".
        runner: the file that runs them, or "".
        production: whether they are for a server.
        typed: the lines to type.
        replaced: the placeholders, and what takes their place.
    """

    page: str
    line: int
    code: str
    skipped: str = ""
    runner: str = ""
    production: bool = False
    typed: tuple[str, ...] = ()
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self, variables: dict[str, str]) -> str:
        """Return the code with the placeholders replaced.

        Raises:
            MarkError: a placeholder is not there, or a variable is unknown.
        """
        code = self.code
        for old, new in self.replaced.items():
            if old not in code:
                raise MarkError(f"{self.place}: there is no '{old}' to replace.\n{HELP}")
            for name in re.findall(r"\$(\w+)", new):
                if name not in variables:
                    raise MarkError(f"{self.place}: ${name} is none of {', '.join(variables)}.")
            value = re.sub(r"\$(\w+)", lambda match: variables[match[1]], new)
            code = code.replace(old, value)
        return code


def pages() -> list[str]:
    """Return the pages whose commands readers run."""
    return [
        str(path)
        for path in files()
        if path.suffix == ".md" and path.parent.name in {"", "docs", "benchmarks"}
    ]


def blocks(page: str, text: str = "") -> Iterator[Block]:
    """Yield the blocks of shell commands of a page.

    Args:
        page: its path.
        text: what it contains, if not what is in the file.

    Raises:
        MarkError: a mark can't be understood, or is not above a block of shell commands.
    """
    lines = (text or (ROOT / page).read_text(encoding="utf-8")).splitlines()
    for number, line in enumerate(lines[:-1]):
        if re.match(r"\s*<!--\s*(not )?run\b", line):
            place = f"{page}:{number + 1}"
            if not MARK.match(line):
                raise MarkError(f"{place}: '{line.strip()}' is no mark.\n{HELP}")
            fence = FENCE.match(lines[number + 1])
            if not fence or fence[3] not in SHELL:
                raise MarkError(f"{place}: the line below the mark is no fence of sh.\n{HELP}")
    for start, language, code in fences(lines):
        if language in SHELL:
            text = "".join(f"{one}\n" for one in code)
            yield _block(page, start + 1, text, lines[start - 1] if start else "")


def fences(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the index, the language and the lines of each block of code."""
    opened: re.Match[str] | None = None
    start = 0
    for number, line in enumerate(lines):
        if opened and line.strip() == opened[2]:
            yield start, opened[3], lines[start + 1 : number]
            opened = None
        elif not opened and (opened := FENCE.match(line)):
            start = number


def _block(page: str, line: int, code: str, mark: str) -> Block:
    match = MARK.match(mark)
    if not match:
        return Block(page, line, code)
    kind, text = match[1], match[2].strip()
    place = f"{page}:{line - 1}"
    if kind == "not run":
        if len(text.split()) < WORDS:
            raise MarkError(f"{place}: '{text}' is no reason: say why a test can't run it.\n{HELP}")
        return Block(page, line, code, skipped=text)
    if kind == "run by":
        runner = ROOT / text
        if not runner.is_file() or Path(page).name not in runner.read_text(encoding="utf-8"):
            raise MarkError(f"{place}: '{text}' does not exist, or does not name {page}.\n{HELP}")
        return Block(page, line, code, runner=text)
    production = False
    typed: tuple[str, ...] = ()
    replaced: dict[str, str] = {}
    for option in (one.strip() for one in text.split(";")):
        word, _, rest = option.partition(" ")
        old, found, new = rest.partition(" with ")
        if option == "production":
            production = True
        elif word == "type" and rest:
            typed = tuple(one.strip() for one in rest.split(","))
        elif word == "replace" and found and old:
            replaced[old] = new
        else:
            raise MarkError(f"{place}: '{option}' is no option.\n{HELP}")
    return Block(page, line, code, production=production, typed=typed, replaced=replaced)
