"""Looks for known vulnerabilities and secrets, and writes what the application consists of.

| Step | With | Fails |
|---|---|---|
| Python packages | `uv audit`, which asks osv.dev | on an advisory |
| npm packages | `npm audit`, which asks the registry | on an advisory for what is built in |
| Secrets in all commits | gitleaks, on PATH or built by Go from the pinned release | on a finding |
| Bills of materials | `uv export` and `npm sbom`, to `.data/sbom/` | if they cannot be made |

A step that cannot be done here, such as without network, says `skipped` and why; with `--strict`,
it fails. `audit.toml` lists advisories that may pass, each with a reason and an end.
"""

import datetime as dt
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools

ROOT = Path(__file__).resolve().parents[1]
UV_FAILED = 2  # its exit status if it could not ask; 1 if there are advisories


class SkippedError(Exception):
    """A step cannot be done here; the message says why."""


class FoundError(Exception):
    """A step has found something; the message says what."""


@dataclass(frozen=True)
class Exceptions:
    """What `audit.toml` lets pass today.

    Attributes:
        ids: of advisories.
        expired: those whose time is over.
    """

    ids: list[str]
    expired: list[str]


def exceptions(path: Path, today: dt.date) -> Exceptions:
    """Read the list of advisories that may pass.

    Raises:
        SystemExit: an entry lacks its id, its reason or its end.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("ignored", [])
    for entry in entries:
        if not (entry.get("id") and entry.get("reason")) or type(entry.get("until")) is not dt.date:
            sys.exit(f"error: {path.name}: each [[ignored]] needs id, reason and until (a date).")
    current = [entry["id"] for entry in entries if entry["until"] >= today]
    return Exceptions(current, [entry["id"] for entry in entries if entry["until"] < today])


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def audit_python(ignored: list[str]) -> str:
    options = [word for one in ignored for word in ("--ignore", one)]
    result = run("uv", "audit", "--preview-features", "audit-command", "--locked", *options)
    return verdict_of_uv(result.returncode, result.stdout, result.stderr)


def verdict_of_uv(status: int, output: str, errors: str) -> str:
    """Return what `uv audit` says.

    Raises:
        SkippedError: it could not ask.
        FoundError: it has found advisories, or failed.
    """
    if status == 0:
        return "no known vulnerability"
    if status == UV_FAILED and "Request failed" in errors + output:
        raise SkippedError(f"osv.dev cannot be asked: {_last_line(errors)}")
    raise FoundError(f"{output}{errors}".strip())


def audit_npm(ignored: list[str]) -> str:
    result = run("bin/npm", "audit", "--json")
    return verdict_of_npm(_json(result.stdout), production_packages(), ignored)


def verdict_of_npm(report: Any, production: set[str], ignored: list[str]) -> str:
    """Return what `npm audit --json` says.

    Args:
        report: its output.
        production: the names of packages that are in the built front end.
        ignored: ids of advisories.

    Raises:
        SkippedError: the registry does not tell.
        FoundError: it has found advisories.
    """
    if not isinstance(report, dict) or "vulnerabilities" not in report:
        reason = report.get("message") if isinstance(report, dict) else None
        raise SkippedError(f"the registry cannot be asked: {reason or 'it gave no answer'}")
    found: dict[str, list[str]] = {}
    for name, entry in report["vulnerabilities"].items():
        advisories = [one["url"] for one in entry["via"] if isinstance(one, dict)]
        if urls := [url for url in advisories if url.rpartition("/")[2] not in ignored]:
            found[name] = urls
    lines = [f"{name}: {', '.join(urls)}" for name, urls in sorted(found.items())]
    if production & found.keys():
        raise FoundError("\n".join(lines))
    if lines:
        return "only in tools that are not part of the site:\n" + "\n".join(lines)
    return "no known vulnerability"


def production_packages() -> set[str]:
    """Return the names of npm packages that the built front end may contain."""
    lock = json.loads((ROOT / "frontend/package-lock.json").read_text(encoding="utf-8"))
    return {
        path.rpartition("node_modules/")[2]
        for path, package in lock["packages"].items()
        if path and not package.get("dev")
    }


def find_secrets(folder: Path = ROOT) -> str:
    """Look for secrets in all commits of a repository."""
    try:
        program = tools.command("gitleaks")
    except tools.MissingError as error:
        raise SkippedError(str(error)) from None
    config = ROOT / ".gitleaks.toml"
    options = ["--no-banner", "--redact", "--verbose", "--config", str(config)]
    result = run(*program, "git", *options, ".", cwd=folder)
    if "leaks found: " in result.stderr:  # and not "no leaks found"
        raise FoundError(result.stdout.strip())
    if result.returncode:
        raise SkippedError(f"gitleaks cannot be built here: {_last_line(result.stderr)}")
    return "none"


def write_bills() -> str:
    """Write the packages of the back end and of the front end as CycloneDX."""
    folder = ROOT / ".data" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    bills = {
        "python.cdx.json": ("uv", "export", "--format", "cyclonedx1.5", "--no-dev", "--locked"),
        "npm.cdx.json": (
            *("bin/npm", "sbom", "--package-lock-only", "--omit", "dev"),
            *("--sbom-format", "cyclonedx"),
        ),
    }
    numbers = []
    for name, command in bills.items():
        result = run(*command)
        bill = _json(result.stdout)
        if result.returncode or not isinstance(bill, dict) or not bill.get("components"):
            raise FoundError(f"{name} cannot be made: {_last_line(result.stderr)}")
        (folder / name).write_text(result.stdout, encoding="utf-8")
        numbers.append(f"{len(bill['components'])} components in {folder.name}/{name}")
    return ", ".join(numbers)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason")


def take(steps: dict[str, Callable[[], str]], *, strict: bool = False) -> bool:
    """Take all steps, and return whether they have found nothing.

    Args:
        steps: by the names that they are printed with.
        strict: whether a step that is skipped counts as one that has found something.
    """
    passed = True
    for name, step in steps.items():
        try:
            print(f"{name}: {step()}", flush=True)
        except SkippedError as reason:
            print(f"{name}: skipped, because {reason}", flush=True)
            passed = passed and not strict
        except FoundError as found:
            print(f"{name}: FAILED\n{found}", flush=True)
            passed = False
    return passed


def main() -> None:
    """Take all steps, and exit with 1 if one has found something."""
    if sys.argv[1:] not in ([], ["--strict"]):
        sys.exit("error: bin/audit takes no argument but --strict.")
    passing = exceptions(ROOT / ".ci/audit.toml", dt.datetime.now(tz=dt.UTC).date())
    if passing.expired:
        print(f"audit.toml: expired, so they count again: {', '.join(passing.expired)}")
    steps = {
        "Python packages": lambda: audit_python(passing.ids),
        "npm packages": lambda: audit_npm(passing.ids),
        "Secrets": find_secrets,
        "Bills of materials": write_bills,
    }
    passed = take(steps, strict=bool(sys.argv[1:]))
    sys.exit(0 if passed and not passing.expired else 1)


if __name__ == "__main__":
    main()
