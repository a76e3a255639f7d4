"""The proxy of docker-compose.yml, with its Caddyfile, on ports of this machine."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

import tools
from dovetail.devtools.embedded.testing import free_ports
from tests.repository import ROOT

CADDYFILE = ROOT / "deploy/caddy/Caddyfile"
RELEASE = tools.RELEASES["caddy"]
VERSION = RELEASE.rpartition("@v")[2]
START_TIMEOUT = 60  # seconds


def missing() -> str:
    """Return why the proxy cannot be started here; "" if it can."""
    if _is_new_enough(shutil.which("caddy")) or _built().exists() or shutil.which("go"):
        return ""
    return f"there is neither caddy {VERSION} nor Go, which builds it, on PATH"


def program() -> str:
    """Return the path of Caddy: of PATH if it is new enough, or else built by Go, once."""
    found = shutil.which("caddy")
    if found and _is_new_enough(found):
        return found
    if not _built().exists():
        folder = _built().parent
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["go", "install", RELEASE], env=os.environ | {"GOBIN": str(folder)}, check=True
        )
    return str(_built())


def _built() -> Path:
    return settings.DATA_DIR / "embedded" / f"caddy-{VERSION}" / "caddy"


def _is_new_enough(found: str | None) -> bool:
    if not found:
        return False
    output = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
    numbers = output.removeprefix("v").partition(" ")[0].split(".")[:2]
    wanted = [int(number) for number in VERSION.split(".")[:2]]
    return all(map(str.isdigit, numbers)) and [int(number) for number in numbers] >= wanted


class Caddy:
    """A running proxy. Only its ports and its certificates are other than in production.

    Attributes:
        http: the URL without TLS.
        https: the URL with TLS.
        certificate: what visitors trust.
        log: the file with its output.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        """Start it, and wait until it answers.

        Args:
            folder: for its state.
            environment: as in docker-compose.yml; DOMAIN is localhost.
        """
        self.folder = folder
        self.admin = free_ports(3)
        http, https = self.admin + 1, self.admin + 2
        self.ports = http, https
        self.http, self.https = f"http://localhost:{http}", f"https://localhost:{https}"
        self.certificate = folder / "pki/authorities/local/root.crt"
        self.log = folder / "caddy.log"
        config = self._write(environment)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [program(), "run", "--config", str(config)],
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)  # it has no other way to tell

    def reload(self, **environment: str) -> None:
        """Do what bin/deploy does with `caddy reload`, with these variables."""
        config = self._write(environment)
        command = [program(), "reload", "--config", str(config)]
        subprocess.run(
            [*command, "--address", f"localhost:{self.admin}"], env=self._environment(), check=True
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def _answers(self) -> bool:
        try:
            requests.get(f"http://localhost:{self.admin}/config/", timeout=10)
        except requests.ConnectionError:
            return False
        return (self.folder / "certificates/local/localhost/localhost.crt").exists()

    def _write(self, environment: dict[str, str]) -> Path:
        config = adapt(DOMAIN="localhost", **environment)
        config["admin"] = {"listen": f"localhost:{self.admin}"}
        config["storage"] = {"module": "file_system", "root": str(self.folder)}
        apps = config["apps"]
        http, https = self.ports
        apps["http"] |= {"http_port": http, "grace_period": "5s"}
        for server in apps["http"]["servers"].values():
            server["listen"] = [f":{https if ':443' in server['listen'] else http}"]
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
        file = self.folder / "caddy.json"
        file.write_text(json.dumps(config))
        return file


def adapt(**environment: str) -> dict[str, Any]:
    """Return the configuration that Caddy reads from the Caddyfile.

    Args:
        environment: as in docker-compose.yml.
    """
    command = [program(), "adapt", "--config", str(CADDYFILE), "--validate"]
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    config: dict[str, Any] = json.loads(result.stdout)
    return config
