# ruff: noqa: INP001 - a program, run by checks.nix
"""Look into the image: that nothing is in it that should not be, and how large it is.

python image_check.py IMAGE, the file that `nix build .#image` makes.
"""

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

LIMIT = 120_000_000  # bytes, compressed
LAYERS = 100
# Shells, compilers, package managers, what is for development only.
UNWANTED = re.compile(
    r"/bin/(ba|da|z|k|c|fi|)sh$|/bin/(busybox|gcc|cc|c\+\+|ld|make|pip3?|uv|nix|apt|apk|npm|node)$"
    r"|/project/dovetail/devtools/|/tests/conftest\.py$|/site-packages/(pytest|mypy|ruff)/"
)


def read(image: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the image's configuration, and the files of each layer."""
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
    problems = [f"it holds {name}" for name in files if UNWANTED.search(name)]
    expected = {
        "runs as 65532": settings["User"] == "65532:65532",
        "starts under tini": settings["Entrypoint"][0].endswith("/tini"),
        "starts the web by default": settings["Cmd"] == ["web"],
        "uses production settings": "DJANGO_SETTINGS_MODULE=config.settings.production"
        in settings["Env"],
        "has a fixed date": config["created"].startswith("1970-01-01T00:00:01"),
        "names its revision": bool(settings["Labels"]["org.opencontainers.image.revision"]),
        f"has at most {LAYERS} layers": len(layers) <= LAYERS,
        f"is below {LIMIT / 1e6:.0f} MB": size < LIMIT,
        "holds the collected static files": any(
            re.search(r"/staticfiles/assets/application-[\w-]+\.js\.br$", name) for name in files
        ),
        "holds the front end's manifest": any(
            name.endswith("/frontend/dist/.vite/manifest.json") for name in files
        ),
        "holds bytecode": any(
            re.search(r"/project/config/__pycache__/asgi\..*\.pyc$", name) for name in files
        ),
    }
    problems += [f"not so: {what}" for what, holds in expected.items() if not holds]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
