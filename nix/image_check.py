# ruff: noqa: INP001 - a script, run by checks.nix
"""Check the contents, configuration and size of the image.

Run `python image_check.py IMAGE` with the file built by `nix build .#image`.
"""

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

LIMIT = 120_000_000  # bytes, compressed
LAYERS = 100
# Shells, compilers, package managers, and development tools.
UNWANTED = re.compile(
    r"/bin/(ba|da|z|k|c|fi|)sh$|/bin/(busybox|gcc|cc|c\+\+|ld|make|pip3?|uv|nix|apt|apk|npm|node)$"
    r"|/project/dovetail/devtools/|/tests/conftest\.py$|/site-packages/(pytest|mypy|ruff)/"
)


def read(image: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the image's configuration and the file names in each layer."""
    with tarfile.open(image) as archive:

        def member(name: str) -> Any:
            return archive.extractfile(name)

        [manifest] = json.load(member("manifest.json"))
        config: dict[str, Any] = json.load(member(manifest["Config"]))
        layers = {}
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=member(name)) as layer:
                layers[name] = layer.getnames()
        return config, layers


def main() -> None:
    image = Path(sys.argv[1])
    size = image.stat().st_size
    config, layers = read(image)
    files = [f"/{name.removeprefix('./')}" for names in layers.values() for name in names]
    settings = config["config"]
    print(f"{size / 1e6:.0f} MB compressed, {len(layers)} layers, {len(files)} files")  # noqa: T201
    problems = [f"The image contains {name}" for name in files if UNWANTED.search(name)]
    expected = {
        "runs as 65532": settings["User"] == "65532:65532",
        "starts under tini": settings["Entrypoint"][0].endswith("/tini"),
        "runs the web role by default": settings["Cmd"] == ["web"],
        "uses production settings": "DJANGO_SETTINGS_MODULE=config.settings.production"
        in settings["Env"],
        "has a fixed creation date": config["created"].startswith("1970-01-01T00:00:01"),
        "names its revision": bool(settings["Labels"]["org.opencontainers.image.revision"]),
        f"has at most {LAYERS} layers": len(layers) <= LAYERS,
        f"is below {LIMIT / 1e6:.0f} MB": size < LIMIT,
        "contains the collected static files": any(
            re.search(r"/staticfiles/assets/application-[\w-]+\.js\.br$", name) for name in files
        ),
        "contains the front end's manifest": any(
            name.endswith("/frontend/dist/.vite/manifest.json") for name in files
        ),
        "contains the programs for backups": all(
            any(name.endswith(f"-postgresql-client/bin/{program}") for name in files)
            for program in ("pg_dump", "pg_restore")
        ),
        "contains bytecode": any(
            re.search(r"/project/config/__pycache__/asgi\..*\.pyc$", name) for name in files
        ),
    }
    problems += [f"Not true: the image {what}" for what, holds in expected.items() if not holds]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
