"""bin/audit finds what it looks for, and says so if it cannot look."""

import datetime as dt
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import audit
import tools
from tests.repository import ROOT

TODAY = dt.date(2026, 12, 1)
VULNERABLE = {
    "vulnerabilities": {
        "lodash": {"via": [{"url": "https://github.com/advisories/GHSA-1111-2222-3333"}]},
        "tool": {"via": ["lodash"]},  # only because it needs the other
    }
}


def write(folder: Path, text: str) -> Path:
    path = folder / "audit.toml"
    path.write_text(text)
    return path


def test_exception_ends_on_its_day(tmp_path: Path) -> None:
    entry = '[[ignored]]\nid = "GHSA-{}"\nreason = "only on Windows"\nuntil = 2026-{}\n'
    path = write(tmp_path, entry.format("1", "12-01") + entry.format("2", "11-30"))

    found = audit.exceptions(path, TODAY)

    assert (found.ids, found.expired) == (["GHSA-1"], ["GHSA-2"])


@pytest.mark.parametrize("line", ['id = ""', 'reason = ""', 'until = "2027-01-01"', "until = 2027"])
def test_exception_without_a_reason_or_an_end_is_refused(tmp_path: Path, line: str) -> None:
    entry = {"id": '"GHSA-1"', "reason": '"only on Windows"', "until": "2027-01-01"}
    name, _, value = line.partition(" = ")
    text = "\n".join(f"{key} = {item}" for key, item in (entry | {name: value}).items())

    with pytest.raises(SystemExit, match=r"each .*ignored.* needs id, reason and until"):
        audit.exceptions(write(tmp_path, f"[[ignored]]\n{text}\n"), TODAY)


def test_list_of_exceptions_is_valid() -> None:
    audit.exceptions(ROOT / ".ci" / "audit.toml", TODAY)


def test_answer_of_uv_is_understood() -> None:
    assert audit.verdict_of_uv(0, "", "Resolved") == "no known vulnerability"
    with pytest.raises(audit.FoundError, match="GHSA-1"):
        audit.verdict_of_uv(1, "django 5.2.0 has GHSA-1", "")
    with pytest.raises(audit.SkippedError, match="dns error"):
        audit.verdict_of_uv(2, "", "error: Request failed after 3 retries\n  cause: dns error\n")
    with pytest.raises(audit.FoundError, match="lockfile"):  # not skipped: it is about the project
        audit.verdict_of_uv(2, "", "error: The lockfile needs to be updated")


def test_answer_of_npm_is_understood() -> None:
    assert audit.verdict_of_npm({"vulnerabilities": {}}, {"lodash"}, []) == "no known vulnerability"
    with pytest.raises(audit.FoundError, match=r"lodash: https.*GHSA-1111"):
        audit.verdict_of_npm(VULNERABLE, {"lodash"}, [])
    assert "tools" in audit.verdict_of_npm(VULNERABLE, {"stimulus"}, [])
    ignored = ["GHSA-1111-2222-3333"]
    assert audit.verdict_of_npm(VULNERABLE, {"lodash"}, ignored) == "no known vulnerability"
    for answer, reason in (({"message": "405 Method Not Allowed"}, "405"), (None, "no answer")):
        with pytest.raises(audit.SkippedError, match=reason):
            audit.verdict_of_npm(answer, set(), [])


def test_step_that_is_skipped_fails_a_strict_audit(capsys: pytest.CaptureFixture[str]) -> None:
    def skip() -> str:
        raise audit.SkippedError("there is no network")

    def find() -> str:
        raise audit.FoundError("GHSA-1")

    assert audit.take({"Python": skip})
    assert not audit.take({"Python": skip, "npm": lambda: "none"}, strict=True)
    assert not audit.take({"Python": find, "npm": lambda: "none"})
    assert "Python: skipped, because there is no network" in capsys.readouterr().out


def test_packages_of_the_front_end_are_known() -> None:
    names = audit.production_packages()

    assert "@hotwired/turbo" in names
    assert "vitest" not in names


@pytest.mark.long("builds gitleaks")
def test_planted_secret_is_found(tmp_path: Path) -> None:
    if tools.missing("gitleaks"):
        pytest.skip(tools.missing("gitleaks"))

    def git(*words: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "settings.py").write_text('SITE = "https://site.example"\n')
    git("add", ".")
    git("commit", "-m", "Start")
    assert audit.find_secrets(tmp_path) == "none"

    key = "AKIA" + "QYLPMN5HHHFPZAM2"
    (tmp_path / "settings.py").write_text(f'AWS_ACCESS_KEY_ID = "{key}"\n')
    git("commit", "-am", "Plant")
    (tmp_path / "settings.py").write_text("")
    git("commit", "-am", "Remove it, which is too late")
    with pytest.raises(audit.FoundError, match=r"settings\.py") as found:
        audit.find_secrets(tmp_path)
    assert key not in str(found.value)


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which lists the packages")
@pytest.mark.long("resolves all packages")
def test_bills_of_materials_name_what_is_used() -> None:
    audit.write_bills()

    folder = ROOT / ".data" / "sbom"
    python, npm = (
        json.loads((folder / f"{name}.cdx.json").read_text()) for name in ("python", "npm")
    )
    names = {one["name"] for one in python["components"]}
    assert {"django", "granian"} <= names
    assert "pytest" not in names
    assert npm["bomFormat"] == "CycloneDX"
