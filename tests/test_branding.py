"""The project's name is spelled only where a new name has to go.

Everything else reads `settings.SITE_NAME` and `settings.PROJECT_NAME`, so a project that starts
from this kit renames itself in few places. The kit's own package keeps its name.
"""

import re
from pathlib import Path

import pytest

from tests.repository import ROOT, files

# Change the name here.
PLACES = {
    ".env.example",
    "deploy/kubernetes/base/beat.yaml",
    "deploy/kubernetes/base/worker.yaml",
    "Dockerfile",
    "docker-compose.yml",
    "flake.nix",
    "frontend/package-lock.json",
    "frontend/package.json",
    "nix/app.nix",
    "nix/image.nix",
    "nix/sbom.jq",
    "nix/services/environment.sh",
    "nix/services/postgres.sh",
    "nix/services/rabbitmq.sh",
    "nix/services/setup.sh",
    "process-compose.yaml",
    "project/config/settings/parts/names.py",
    "pyproject.toml",
    "uv.lock",
}
# The kit, its tests, this test, and prose about the kit.
KIT = (
    "project/dovetail/",
    "tests/dovetail/",
    "frontend/src/js/dovetail/",
    "tests/test_branding.py",
)
PROSE = ("docs/*", "*.md", "LICENSE")
# Files that name the kit's package without a dot or a slash after it.
PACKAGE = {
    "nix/services/web.sh",
    "project/config/settings/parts/apps.py",
    "tests/test_imports.py",
}

NAME = re.compile(r"(?<![a-z])dovetail(?![a-z])", re.IGNORECASE)
MODULES = "|".join(sorted({path.stem for path in (ROOT / "project/dovetail").iterdir()}))
REFERENCE = re.compile(
    rf"\bdovetail\\?[./](?:{MODULES})\b"  # a module or a file of the kit, in patterns too
    r"|\b(?:from|import) dovetail\b"
    rf"|\bdovetail_(?:{MODULES})(?![a-z])"  # the label of an app of the kit
    r"|\bdovetail\\?\.[EW]\d{3}\b"  # a system check of the kit
    r"|(?:project|tests|js|\.)[./]dovetail\b"
    r"|\bdovetail joints?\b"
)


def spells_the_name(path: Path) -> bool:
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    text = REFERENCE.sub("", text)
    if str(path) in PACKAGE:
        text = re.sub(r"\bdovetail\b", "", text)
    return bool(NAME.search(text))


def test_name_is_spelled_only_in_its_places() -> None:
    found = {
        str(path)
        for path in files()
        if not str(path).startswith(KIT)
        and path.name != Path(__file__).name
        and not any(path.match(pattern) for pattern in PROSE)
        and spells_the_name(path)
    }

    assert sorted(found - PLACES) == [], "use settings.SITE_NAME or settings.PROJECT_NAME"
    assert sorted(PLACES - found) == [], "no longer spells the name: remove it from PLACES"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import dovetail", False),
        ("from dovetail.search import SearchIndex", False),
        ("see dovetail/forms.py", False),
        ('@source "../../../project/dovetail";', False),
        ("a dovetail joint", False),
        ("dovetail.example", True),
        ('TITLE = "Dovetail"', True),
        ("DOVETAIL_DEBUG", True),
        ("postgres://dovetail@localhost", True),
    ],
)
def test_references_to_the_package_are_not_branding(
    tmp_path: Path, text: str, *, expected: bool
) -> None:
    (tmp_path / "page.txt").write_text(text)

    assert spells_the_name(tmp_path / "page.txt") is expected
