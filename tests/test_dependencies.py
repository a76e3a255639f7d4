"""What `pyproject.toml` demands of the packages is what the code needs, and no more."""

import tomllib
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.repository import ROOT

ENOUGH = timedelta(days=60)
# Whose newest release is needed, and why.
NEEDED = {"django-allauth": "codes by email for reauthentication are new in 65.22"}
# Packages of whose internals something is used, which any release may change.
CAPPED = {
    "django-allauth": "65.23",
    "fakeredis": "2.42",
    "schemathesis": "4.33",
    "channels-redis": "4.4",
    "channels": "4.4",
    "django": "5.3",
    "urllib3": "3",
}


def manifest() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    project = manifest()
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    return [Requirement(line) for group in groups for line in group]


@cache
def locked() -> dict[str, tuple[Version, datetime]]:
    """Return the locked version of each package, and when it was released."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return {
        package["name"]: (
            Version(package["version"]),
            datetime.fromisoformat(min(wheel["upload-time"] for wheel in package["wheels"])),
        )
        for package in lock["package"]
        if "wheels" in package
    }


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_lower_bound_leaves_older_releases_possible(requirement: Requirement) -> None:
    """Kind: a bound raised to the newest release for no need.

    Where uv is told to leave out what was released in the last days or weeks (UV_EXCLUDE_NEWER),
    such a bound makes the project impossible to resolve.
    """
    versions = locked()
    version, released = versions[requirement.name]
    newest = max(when for _, when in versions.values())
    (least,) = [Version(one.version) for one in requirement.specifier if one.operator == ">="]

    assert least <= version
    if requirement.name in NEEDED:
        return
    assert least < version or newest - released > ENOUGH, (
        f"{requirement.name}: lower the bound {least}, or add the package to NEEDED with the reason"
    )


@pytest.mark.parametrize("name", CAPPED)
def test_package_whose_internals_are_used_is_capped(name: str) -> None:
    """Kind: an upgrade within the bounds that breaks what was built on a package's internals."""
    found = [one for one in requirements() if one.name == name]

    assert found
    for one in found:
        assert CAPPED[name] in [each.version for each in one.specifier if each.operator == "<"]
