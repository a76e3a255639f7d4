"""Looks for mistakes in .github/, without network.

actionlint knows the syntax and the types, zizmor what attackers use. Neither knows the project's
own rules, which tests/test_workflows.py keeps. actionlint is skipped, and says so, where there is
neither it nor Go, or Go cannot build it.
"""

import subprocess
import sys
from pathlib import Path

import tools

ROOT = Path(__file__).resolve().parents[1]
# "pedantic" tells findings that are no danger by themselves, too.
ZIZMOR = ("zizmor", "--offline", "--persona=pedantic", "--strict-collection", "--no-progress", "-q")
# Without shellcheck and pyflakes: each step has one command, so neither has anything to read.
ACTIONLINT = ("-no-color", "-oneline", "-shellcheck=", "-pyflakes=")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def zizmor(root: Path) -> str:
    """Return the findings of zizmor; "" if there are none."""
    result = run(root, *ZIZMOR, ".github")
    return f"{result.stdout}{result.stderr}".strip() if result.returncode else ""


def actionlint(root: Path) -> str:
    """Return the findings of actionlint; "" if there are none.

    Raises:
        tools.MissingError: it can neither be found nor built.
    """
    files = sorted(str(path) for path in (root / ".github/workflows").glob("*.yml"))
    program = tools.command("actionlint")
    result = run(root, *program, *ACTIONLINT, *files)
    if result.returncode and program[0] == "go" and "exit status" not in result.stderr:
        reason = result.stderr.strip().rpartition("\n")[2]
        raise tools.MissingError(f"Go cannot build it: {reason}")
    return f"{result.stdout}{result.stderr}".strip() if result.returncode else ""


def main() -> None:
    """Check the repository's workflows, and exit with 1 if there is something to mend."""
    failed = False
    for name, check in {"zizmor": zizmor, "actionlint": actionlint}.items():
        try:
            found = check(ROOT)
        except tools.MissingError as error:
            print(f"{name}: skipped, because {error}", flush=True)
        else:
            print(f"{name}: {found or 'no mistakes'}", flush=True)
            failed = failed or bool(found)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
