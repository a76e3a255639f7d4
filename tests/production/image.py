"""The files of the image, and its command, without Nix and without a container."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from dovetail.devtools.embedded.testing import free_port
from tests.frontend import locked_frontend

ROOT = settings.BASE_DIR
TIMEOUT = 240  # seconds a command may take on a busy machine


class Image:
    """What nix/app.nix puts together: the code without development tools, and static files.

    Attributes:
        folder: where it is.
        environment: the settings of its processes, as a Compose file gives them.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        self.environment = environment | {
            "PATH": path,
            "HOME": str(folder),
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if cache := os.environ.get("PYTHONPYCACHEPREFIX"):
            self.environment["PYTHONPYCACHEPREFIX"] = cache

    def assemble(self, project: Path = ROOT / "project") -> None:
        """Copy the files, with the front end as Vite has built it.

        Args:
            project: the code, which may be that of another version.
        """
        tools = project / "dovetail/devtools"

        def left_out(folder: str, names: list[str]) -> set[str]:
            return {n for n in names if n == "__pycache__" or Path(folder, n) == tools}

        shutil.copytree(project, self.folder / "project", ignore=left_out)
        (self.folder / "bin").mkdir()
        shutil.copy(ROOT / "nix" / "entrypoint.py", self.folder / "bin" / "entrypoint.py")
        with locked_frontend() as frontend:
            shutil.copytree(frontend / "dist", self.folder / "frontend" / "dist")

    def collect(self) -> None:
        """Collect the static files, and keep of the built front end only its manifest."""
        self.run("manage", "collectstatic", "--noinput", "--verbosity=0")
        shutil.rmtree(self.folder / "frontend" / "dist" / "assets")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.folder / "bin" / "entrypoint.py"), *arguments]

    def run(
        self, *arguments: str, check: bool = True, **changes: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a role of the image to its end.

        Args:
            arguments: the role and its arguments.
            check: whether a status other than 0 is an error.
            changes: changes to the environment; "" unsets a setting.
        """
        environment = {k: v for k, v in (self.environment | changes).items() if v}
        result = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert result.returncode == 0 or not check, result.stdout + result.stderr
        return result


class Web:
    """The role `web`, on a port of 127.0.0.1."""

    def __init__(self, image: Image, log: Path, *options: str, **changes: str) -> None:
        """Start it.

        Args:
            image: the files to run.
            log: the file to write its output to.
            options: further options of its program.
            changes: changes to the environment; "" unsets a setting.
        """
        self.port = free_port()
        self.log = log
        self.environment = {k: v for k, v in (image.environment | changes).items() if v}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                # The last --host wins: elsewhere, the entry point's 0.0.0.0.
                image.command("web", "--host", "127.0.0.1", *options),
                cwd=image.folder,
                env=self.environment | {"PORT": str(self.port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
