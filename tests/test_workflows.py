"""The workflows of .github/ have no known mistakes, and keep the project's own rules."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
import workflows
from tests.repository import ROOT

FOLDER = ROOT / ".github/workflows"
ACTIONS = ROOT / ".github/actions"
FILES = sorted([*FOLDER.glob("*.yml"), *ACTIONS.glob("*/action.yml")])
# A full commit, and the version that a reader and Dependabot know it by.
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+(?: #.*)?")
PROGRAMS = {"uv", "nix", "cosign"}  # beside the scripts in bin/; docs/ names them

# A workflow that keeps the rules; the tests plant one mistake at a time.
GOOD = """\
on: [push]
permissions: {}
concurrency: a
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - run: bin/test -m "not e2e"
"""


def read(path: Path) -> dict[Any, Any]:
    """Return a workflow. YAML 1.1 reads its key `on` as True."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def steps(text: str) -> Iterator[dict[str, Any]]:
    content = yaml.safe_load(text)
    for job in [content.get("runs", {}), *content.get("jobs", {}).values()]:
        yield from job.get("steps", [])


def commands(text: str) -> list[str]:
    return [step["run"] for step in steps(text) if "run" in step]


def wrong_commands(text: str) -> Iterator[str]:
    for command in commands(text):
        line = command.strip()
        program, *_ = [*shlex.split(line), ""]
        if "\n" in line or re.search(r"[|&;<>`]|\$\(", line):
            yield f"'{line}' is more than one command: write a script in bin/"
        elif "${{" in line:
            yield f"'{line}' is filled in before the shell reads it: pass the value as a variable"
        elif program.startswith("bin/"):
            if not os.access(ROOT / program, os.X_OK):
                yield f"'{program}' is no script"
        elif program not in PROGRAMS:
            yield f"'{program}' is neither in bin/ nor one of {', '.join(sorted(PROGRAMS))}"


def wrong_actions(text: str) -> Iterator[str]:
    for line in text.splitlines():
        _, found, action = line.partition("uses: ")
        if not found or line.lstrip().startswith("#"):
            continue
        if action.startswith("./"):
            if not (ROOT / action).exists():
                yield f"'{action}' does not exist"
        elif not PINNED.fullmatch(action):
            yield f"'{action}' is not pinned by a commit with its version as a comment"


def wrong_jobs(text: str) -> Iterator[str]:
    content = yaml.safe_load(text)
    if "jobs" not in content:
        return
    if content.get("permissions") != {}:
        yield "the workflow does not begin with 'permissions: {}'"
    if "workflow_call" not in content[True] and "concurrency" not in content:
        yield "the workflow has no concurrency"
    for name, job in content["jobs"].items():
        if not job.get("permissions"):
            yield f"job '{name}' does not say which permissions it needs"
        if "uses" not in job and not job.get("timeout-minutes"):
            yield f"job '{name}' has no timeout"
        # A secret of the repository would be there for every branch; an environment asks first.
        if re.search(r"\bsecrets[.\[]", json.dumps(job)) and "environment" not in job:
            yield f"job '{name}' uses a secret, but has no environment"
    for step in steps(text):
        if step.get("uses", "").startswith("actions/checkout@") and (
            step.get("with", {}).get("persist-credentials") is not False
        ):
            yield "a checkout keeps the token: set persist-credentials to false"


def mistakes(text: str) -> list[str]:
    """Return what breaks the project's rules in a workflow or an action."""
    return [*wrong_actions(text), *wrong_commands(text), *wrong_jobs(text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_are_kept(path: Path) -> None:
    assert mistakes(path.read_text(encoding="utf-8")) == []


def test_good_workflow_has_no_mistake() -> None:
    assert mistakes(GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "not pinned"),
        (" # v7.0.1", "", "not pinned"),
        ("3d3c42e5aac5ba805825da76410c181273ba90b1", "3d3c42e5", "not pinned"),
        ("actions/checkout@3d3c", "./.github/actions/none@3d3c", "does not exist"),
        ("permissions: {}\n", "", "does not begin"),
        ("permissions: {}", "permissions: write-all", "does not begin"),
        ("    permissions:\n      contents: read\n", "", "which permissions"),
        ("concurrency: a\n", "", "no concurrency"),
        ("    timeout-minutes: 5\n", "", "no timeout"),
        ("persist-credentials: false", "fetch-depth: 0", "keeps the token"),
        ('bin/test -m "not e2e"', "bin/none", "is no script"),
        ('bin/test -m "not e2e"', "pip install uv", "neither in bin/"),
        ('bin/test -m "not e2e"', "bin/test && bin/ci", "more than one command"),
        ('bin/test -m "not e2e"', "bin/test $(id)", "more than one command"),
        ('bin/test -m "not e2e"', "|\n          bin/test\n          bin/ci", "more than one"),
        ('bin/test -m "not e2e"', "bin/test ${{ github.head_ref }}", "filled in before"),
        ('bin/test -m "not e2e"', "bin/test\n        env: {A: '${{ secrets.A }}'}", "no environm"),
    ],
)
def test_planted_mistake_breaks_a_rule(right: str, wrong: str, message: str) -> None:
    assert right in GOOD

    [found] = mistakes(GOOD.replace(right, wrong))

    assert message in found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    return tmp_path


def plant(folder: Path, text: str) -> None:
    (folder / ".github/workflows/ci.yml").write_text(f"name: Planted\n{text}")


def actionlint(folder: Path) -> str:
    try:
        return workflows.actionlint(folder)
    except tools.MissingError as error:
        pytest.skip(str(error))


def test_zizmor_finds_nothing() -> None:
    assert workflows.zizmor(ROOT) == ""


def test_actionlint_finds_nothing() -> None:
    assert actionlint(ROOT) == ""


def test_actionlint_finds_a_planted_mistake(folder: Path) -> None:
    plant(folder, GOOD.replace("ubuntu-24.04", "${{ matrix.none }}"))

    assert 'property "none" is not defined' in actionlint(folder)


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ('bin/test -m "not e2e"', "bin/test ${{ github.event.issue.title }}", "template-injection"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        ("on: [push]", "on: [pull_request_target]", "dangerous-triggers"),
        ("persist-credentials: false", "fetch-depth: 0", "artipacked"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
    ],
)
def test_zizmor_finds_a_planted_mistake(folder: Path, right: str, wrong: str, rule: str) -> None:
    assert right in GOOD

    plant(folder, GOOD.replace(right, wrong))

    assert f"[{rule}]" in workflows.zizmor(folder)


def test_every_python_of_the_project_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: "
    stated = [one.removeprefix(prefix) for one in project["classifiers"] if prefix in one]
    matrix = read(FOLDER / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]

    assert matrix["python"] == stated
    assert project["requires-python"] == f">={stated[0]}"
    assert {one["search"] for one in matrix["include"]} == {"postgres"}


def test_steps_of_bin_ci_exist() -> None:
    script = (ROOT / "bin/ci").read_text(encoding="utf-8")
    [known] = re.findall(r"^all=\((.+)\)$", script, re.MULTILINE)
    named = set()
    for path in FILES:
        for command in commands(path.read_text(encoding="utf-8")):
            program, *words = shlex.split(command)
            named |= set(words) if program == "bin/ci" else set()

    # `audit` is called with --strict, by bin/audit itself.
    assert named | {"audit"} == set(known.split())
    assert all(re.search(rf"^{name}\(\) {{$", script, re.MULTILINE) for name in known.split())


def test_step_that_does_not_exist_is_named() -> None:
    result = subprocess.run(
        ["bash", "bin/ci", "lint", "lnit"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert result.stdout == ""  # nothing has been run
    assert result.stderr.startswith("error: bin/ci has no step 'lnit', only: lint workflows ")


def test_images_are_published_only_after_everything_has_passed() -> None:
    jobs = read(FOLDER / "ci.yml")["jobs"]
    publish = jobs["images"]

    assert "github.event_name == 'push'" in publish["if"]
    assert set(publish["needs"]) == set(jobs) - {"images", "image"}
    # Whoever calls images.yml grants what it needs; no other job may write or sign.
    assert publish["permissions"] == read(FOLDER / "images.yml")["jobs"]["publish"]["permissions"]
    others = [job["permissions"] for name, job in jobs.items() if name != "images"]
    assert all(one == {"contents": "read"} for one in others)


def test_host_keys_are_always_checked() -> None:
    texts = [path.read_text() for path in [*FILES, *(ROOT / "bin").iterdir()] if path.is_file()]

    assert not [text for text in texts if re.search(r"HostKeyChecking[= ](?!yes)", text)]
    assert "StrictHostKeyChecking=yes" in (ROOT / "bin/deploy-ssh").read_text()


def test_dependabot_reads_every_kind_of_lock() -> None:
    updates = read(ROOT / ".github/dependabot.yml")["updates"]
    kinds = {one["package-ecosystem"] for one in updates}

    assert kinds == {"uv", "npm", "docker", "docker-compose", "github-actions"}
    assert all(one["cooldown"]["default-days"] >= 7 and one["groups"] for one in updates)
