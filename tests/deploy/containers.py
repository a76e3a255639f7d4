"""Builds the Dockerfile with buildah, which needs no daemon, and runs what it has built.

Where the Dockerfile's bases cannot be pulled, stand-ins made of Debian's packages and the Node of
`up` take their place, so that every step is executed in any case.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from dovetail.devtools.stack.frontend import find_node
from dovetail.devtools.supervisor.guard import Guard
from tests.repository import ROOT

DOCKERFILE = ROOT / "Dockerfile"
BASE = re.compile(r"^FROM (\S+/\S+) AS ", re.MULTILINE)
RELEASE = "trixie"  # of Debian, as in the Dockerfile
TIMEOUT = 900  # seconds a step may take on a busy machine
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES = "ca-certificates,libatomic1,python3,python3-pip,tzdata"
# What the python image has: python and pip in /usr/local, as files that pip itself can remove.
MAKE_PYTHON = """
set -e
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
python3 -m pip install --quiet --root-user-action=ignore --ignore-installed pip
dpkg --purge --force-depends python3-pip >/dev/null
ln -sf /usr/bin/python3 /usr/local/bin/python3
ln -sf /usr/bin/python3 /usr/local/bin/python
"""

# chroot leaves the working directory to the program that it starts.
ENTER = """
root=$1 user=$2 folder=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for device in null urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/shm"
for folder in dev/shm tmp data; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" \
  /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


def missing() -> str:
    """Return why an image cannot be built here; "" if it can."""
    if not shutil.which("buildah"):
        return "buildah is not on PATH"
    if os.geteuid() != 0:
        return "buildah with its chroot isolation needs root"
    return ""


class Buildah:
    """buildah with a storage of its own, which vfs and chroot let work inside containers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *arguments: str | Path) -> str:
        """Run a command of it and return what it prints.

        Raises:
            CalledProcessError: it failed; its output is in the error.
        """
        storage = ["--storage-driver", "vfs", "--root", str(self.folder / "root")]
        run = ["--runroot", str(self.folder / "run")]
        command = ["buildah", *storage, *run, *map(str, arguments)]
        result = subprocess.run(
            command,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        if result.returncode:
            raise subprocess.CalledProcessError(
                result.returncode, command, result.stdout, result.stderr
            )
        return result.stdout.strip()

    def has_pulled(self, reference: str) -> bool:
        try:
            self("pull", "--quiet", reference)
        except subprocess.CalledProcessError:
            return False
        return True

    def import_folder(self, folder: Path, name: str, *environment: str) -> str:
        """Make an image of a folder, and return its name."""
        container = self("from", "scratch")
        self("add", "--quiet", container, folder, "/")
        for variable in environment:
            self("config", "--env", variable, container)
        self("commit", "--quiet", container, name)
        self("rm", container)
        return name


@dataclass
class Built:
    """An image, unpacked.

    Attributes:
        buildah: has built it.
        container: a working container of it.
        root: the folder with its files.
        base: the folder with the files of the image that it starts from.
    """

    buildah: Buildah
    container: str
    root: Path
    base: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its configuration, as Docker shows it."""
        inspected = orjson.loads(self.buildah("inspect", "--type", "container", self.container))
        config: dict[str, Any] = inspected["Docker"]["config"]
        return config

    def command(self, *arguments: str, program: str = "") -> list[str]:
        """Return the words that run it as Compose does, in the network of this machine.

        As its user, with a read-only root, an empty /tmp and /data, and no way to more privileges.

        Args:
            arguments: after the entry point, such as a role.
            program: another one than the entry point.
        """
        words = [program] if program else self.config["Entrypoint"]
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        return [
            *("unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER, "sh"),
            *(str(self.root), self.config["User"], self.config["WorkingDir"]),
            *("env", "-i", *variables, *words, *arguments),
        ]

    def health(self, role: str, process: int) -> list[str]:
        """Return the words that run the health check in the container of a process.

        Args:
            role: the role whose health it tells.
            process: the id of the container's first process.
        """
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        test = [*self.config["Healthcheck"]["Test"][1:-1], role]
        enter = ["nsenter", f"--target={process}", "--mount", "--root"]
        return [*enter, "env", "-i", *variables, *test]

    @property
    def variables(self) -> dict[str, str]:
        return dict(variable.split("=", 1) for variable in self.config["Env"])

    def files(self) -> set[str]:
        """Return the paths of the files that its base does not have."""
        return files(self.root) - files(self.base)


def files(root: Path) -> set[str]:
    """Return the paths of all files below a folder, each with a slash in front."""
    found = (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    return {f"/{path.relative_to(root)}" for path in found}


def build(folder: Path) -> Built:
    """Build the Dockerfile.

    Args:
        folder: where buildah keeps what it makes.

    Raises:
        CalledProcessError: a step failed.
    """
    buildah = Buildah(folder)
    text = DOCKERFILE.read_text(encoding="utf-8")
    bases = BASE.findall(text)
    images = {base: base for base in bases}
    if not all(buildah.has_pulled(base) for base in bases):
        # Python's first: it has no Node.
        images = {base: stand_in(buildah, base, folder) for base in sorted(bases, reverse=True)}
    for base, image in images.items():
        text = text.replace(base, image)
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    ignored = ["--ignorefile", str(ROOT / ".dockerignore")]
    revision = ["--build-arg", "REVISION=tested"]
    # Docker's format has health checks, OCI's has none.
    buildah(
        *("bud", "--quiet", "--format", "docker", "--pull-never", *revision, *ignored),
        *("-f", str(folder / "Dockerfile"), "-t", "localhost/site:tested", str(ROOT)),
    )
    container, base = (
        buildah("from", "--pull-never", image)
        for image in (
            "localhost/site:tested",
            next(images[one] for one in bases if "/python:" in one),
        )
    )
    roots = (Path(buildah("mount", name)) for name in (container, base))
    return Built(buildah, container, *roots)


def stand_in(buildah: Buildah, base: str, folder: Path) -> str:
    """Make an image that can do what the builds need of a base, and return its name.

    Raises:
        ValueError: there is none for this base.
    """
    name = base.rpartition("/")[2].partition(":")[0]
    if name not in {"python", "node"}:
        raise ValueError(f"There is no stand-in for {base}: add one to tests/deploy/containers.py.")
    root = folder / "base"
    if not root.exists():
        _install_debian(root)
    if name == "node":
        _add_node(root)
    variables = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"]
    trusted = [f"{variable}={CERTIFICATES}" for variable in variables if variable in os.environ]
    return buildah.import_folder(root, f"localhost/stand-in/{name}", *trusted)


def _install_debian(root: Path) -> None:
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root))
    # Packages come through the same proxy, if any, as on this machine.
    for path in (CERTIFICATES, Path("/etc/pip.conf"), Path("/etc/resolv.conf")):
        if path.exists():
            shutil.copyfile(path, root / path.relative_to("/"))
    _run("chroot", str(root), "/bin/sh", "-c", MAKE_PYTHON)


def _add_node(root: Path) -> None:
    guard = Guard()
    try:
        node = find_node(settings.DATA_DIR / "embedded", guard)
    finally:
        guard.close()
    program, npm = ((node.directory / name).resolve() for name in ("node", "npm"))
    shutil.copyfile(program, root / "usr/local/bin/node")
    package = npm.parents[1]
    shutil.copytree(package, root / "usr/local/lib/node_modules/npm", symlinks=True)
    for name in ("npm", "npx"):
        link = root / "usr/local/bin" / name
        link.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
    for path in (root / "usr/local/bin/node", *package.glob("bin/*.js")):
        path.chmod(0o755)


def _run(*command: str) -> None:
    result = subprocess.run(command, text=True, capture_output=True, timeout=TIMEOUT, check=False)
    if result.returncode:
        raise subprocess.CalledProcessError(
            result.returncode, command, result.stdout, result.stderr
        )
