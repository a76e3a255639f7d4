"""The image of the Dockerfile is that of Nix: only its base differs."""

import re
from typing import Any

import pytest

from config.settings.parts.names import PROJECT_NAME
from tests.deploy import dockerfile
from tests.repository import ROOT

IMAGE_NIX = (ROOT / "nix/image.nix").read_text(encoding="utf-8")
APP_NIX = (ROOT / "nix/app.nix").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
# Where the Dockerfile has what Nix has in its store.
PLACES = {
    "${app}": "/app",
    "${environment}": "/app/environment",
    "${pkgs.tzdata}/share": "/usr/share",
    "(lib.getExe pkgs.tini)": '"/usr/bin/tini"',
    "(lib.getExe app)": f'"/app/bin/{PROJECT_NAME}"',
    "${postgresqlClient}": "/app/postgresql",
    "/etc/ssl/certs/ca-bundle.crt": "/etc/ssl/certs/ca-certificates.crt",  # Debian's name
    "revision;": '"${REVISION}";',
}
BASE_PATH = ":/usr/local/bin:/usr/bin:/bin"  # of Debian; Nix has nothing there
EXPORTS = re.compile(r"^ *export (.*?);? ?\\?$", re.MULTILINE)


def nix_config() -> dict[str, Any]:
    """Return the configuration in nix/image.nix, with the paths of the Dockerfile."""
    text = IMAGE_NIX.replace("${user}", text_between(IMAGE_NIX, 'user = "', '"'))
    for place, path in PLACES.items():
        assert place in text, place
        text = text.replace(place, path)
    text = text[text.index("config = {") :]
    health = text[text.index("Healthcheck = {") :]
    return {
        "User": text_between(text, 'User = "', '"'),
        "WorkingDir": text_between(text, 'WorkingDir = "', '"'),
        "Entrypoint": strings(text, "Entrypoint = ["),
        "Cmd": strings(text, "Cmd = ["),
        "Env": dict(value.split("=", 1) for value in strings(text, "Env = [")),
        "ExposedPorts": re.findall(r'ExposedPorts\."([^"]+)"', text),
        "Labels": dict(re.findall(r'"(org\.[\w.]+)" = "([^"]+)";', text)),
        "Healthcheck": {
            "Test": strings(health, "Test = ["),
            "interval": text_between(health, "Interval = nanoseconds ", ";") + "s",
            "timeout": text_between(health, "Timeout = nanoseconds ", ";") + "s",
            "start-period": text_between(health, "StartPeriod = nanoseconds ", ";") + "s",
            "retries": text_between(health, "Retries = ", ";"),
        },
    }


def text_between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def strings(text: str, start: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text_between(text, start, "];"))


@pytest.mark.parametrize("key", sorted(nix_config()))
def test_both_images_are_configured_in_the_same_way(key: str) -> None:
    expected, found = nix_config()[key], dockerfile.config()[key]

    assert expected
    if key == "Env":
        assert found["PATH"].endswith(BASE_PATH)
        found["PATH"] = found["PATH"].removesuffix(BASE_PATH)
    assert found == expected


def test_dockerfile_configures_nothing_else() -> None:
    assert dockerfile.config().keys() == nix_config().keys()


def test_both_have_the_same_user_and_folders() -> None:
    user = text_between(IMAGE_NIX, 'user = "', '"')
    for file in ("passwd", "group"):
        [line] = re.findall(rf"echo '([^']*)' >\$out/etc/{file}", IMAGE_NIX)
        assert f"echo '{line.replace('${user}', user)}' >>/etc/{file}" in DOCKERFILE

    assert "mkdir -m 1777 tmp data" in IMAGE_NIX
    assert "mkdir -m 1777 /data" in DOCKERFILE  # Debian has /tmp


def test_both_collect_static_files_with_the_same_settings() -> None:
    def exports(text: str) -> set[str]:
        words = " ".join(EXPORTS.findall(text)).replace('"', "")
        return set(re.findall(r"[A-Z_]+=\S+", words))

    assert len(exports(APP_NIX)) > 5
    assert exports(DOCKERFILE) == exports(APP_NIX)


@pytest.mark.parametrize("step", ["manage.py collectstatic --noinput", "! -name .vite -exec rm -r"])
def test_both_take_the_same_steps(step: str) -> None:
    assert step in APP_NIX
    assert step in DOCKERFILE


def test_both_run_the_same_script() -> None:
    assert f"${{./entrypoint.py}}; }} >$out/bin/{PROJECT_NAME}" in APP_NIX
    assert f"cat /tmp/entrypoint.py; }} >bin/{PROJECT_NAME};" in DOCKERFILE
    assert "unchecked-hash $out/project" in APP_NIX
    assert "unchecked-hash /app/project" in DOCKERFILE
    assert "workspace.deps.optionals" in (ROOT / "nix/python.nix").read_text()
    assert "uv sync --locked --no-dev --all-extras" in DOCKERFILE


def test_both_have_the_same_python_and_node() -> None:
    nix = (ROOT / "nix/python.nix").read_text() + (ROOT / "nix/default.nix").read_text()
    [python] = set(re.findall(r"pkgs\.python3(\d+);", nix))
    [node] = set(re.findall(r"nodejs_(\d+)", nix))

    assert [base for base in dockerfile.bases() if f"/python:3.{python}." in base]
    assert [base for base in dockerfile.bases() if f"/node:{node}." in base]


@pytest.mark.parametrize("base", dockerfile.bases())
def test_base_is_pinned(base: str) -> None:
    assert re.fullmatch(r"docker\.io/library/\w+:\d+\.\d+\.\d+-[\w-]+@sha256:[0-9a-f]{64}", base)


def test_only_what_the_dockerfile_copies_is_sent_to_the_builder() -> None:
    """Kind: a secret, or the state of a checkout, in a layer."""
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {
        word
        for name, arguments in dockerfile.instructions()
        if name == "COPY" and "--from" not in arguments
        for word in arguments.split()[:-1]
    }

    assert patterns[1] == "*"
    assert {path for path in copied if not any(covers(one, path) for one in sent)} == set()
    assert {one for one in sent if not any(covers(one, path) for path in copied)} == set()


def covers(pattern: str, path: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}/")
