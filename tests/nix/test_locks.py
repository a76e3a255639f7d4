"""The lock files are consistent with each other; Nix builds from them alone."""

import hashlib
import json
import re
from typing import Any

from tests.nix import ROOT

Entries = dict[str, dict[str, Any]]


def npm_entries() -> Entries:
    lock: dict[str, Entries] = json.loads((ROOT / "frontend/package-lock.json").read_text())
    return lock["packages"]


def resolve(entries: Entries, path: str, name: str) -> bool:
    """Return whether Node resolves `name` from the package at `path`."""
    while True:
        if f"{path}/node_modules/{name}".lstrip("/") in entries:
            return True
        if not path:
            return False
        path = path.rpartition("node_modules/")[0].rstrip("/")


def test_every_required_npm_package_is_locked() -> None:
    """Npm silently drops a package from the lock if the registry lacks it for one platform."""
    entries = npm_entries()
    missing = [
        f"{name} of {path or 'package.json'}"
        for path, entry in entries.items()
        for kind in ("dependencies", "devDependencies", "optionalDependencies")
        for name in entry.get(kind, {})
        if not resolve(entries, path, name)
    ]

    assert len(entries) > 1
    assert not missing


def test_nix_fetches_the_locked_npm_packages() -> None:
    """If this fails, run `nix run .#update` and commit the result."""

    def allows(allowed: list[str], *names: str) -> bool:
        return not allowed or any(name in allowed for name in names)

    wanted = []
    for path, entry in sorted(npm_entries().items()):
        if (
            "integrity" in entry
            and not entry.get("inBundle")
            and allows(entry.get("os", []), "linux", "darwin")
            and allows(entry.get("cpu", []), "x64", "arm64")
        ):
            name = entry.get("name") or path.rpartition("node_modules/")[2]
            spec = f"{name}@{entry['version']}"
            file = f"{spec.replace('/', '+')}.tgz"
            wanted.append({"file": file, "integrity": entry["integrity"], "spec": spec})
    digest = hashlib.sha256(json.dumps(wanted, separators=(",", ":")).encode()).hexdigest()

    assert json.loads((ROOT / "nix/npm-tarballs.json").read_text())["wanted"] == digest


def test_flake_lock_contains_exactly_the_inputs_of_the_flake() -> None:
    lock = json.loads((ROOT / "flake.lock").read_text())
    flake = (ROOT / "flake.nix").read_text()

    inputs = set(lock["nodes"]["root"]["inputs"])
    addresses = set(re.findall(r'"github:([\w.-]+/[\w.-]+)(?:/([\w.-]+))?"', flake))
    locked = {name: node for name, node in lock["nodes"].items() if name != "root"}
    originals = {
        (f"{node['original']['owner']}/{node['original']['repo']}", node["original"].get("ref", ""))
        for node in locked.values()
    }

    assert inputs == set(locked) == {"nixpkgs", "pyproject-nix", "uv2nix"}
    assert originals == addresses
    for node in locked.values():
        assert re.fullmatch(r"[0-9a-f]{40}", node["locked"]["rev"])
        assert node["locked"]["narHash"].startswith("sha256-")
