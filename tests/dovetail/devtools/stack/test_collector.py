from pathlib import Path
from subprocess import Popen

import pytest
import requests

from dovetail.devtools.embedded.testing import free_port
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.stack import collector
from dovetail.devtools.supervisor.program import Program
from tests.cable.servers import wait_until
from tests.processes import bare_environment


def is_ready(program: Program) -> bool:
    try:
        return bool(program.is_ready())
    except NotReadyError:
        return False


def test_collector_takes_what_its_environment_says(tmp_path: Path) -> None:
    wanted = collector.wanted(free_port())
    program = wanted.program(tmp_path, bare_environment())
    environment = wanted.environment()
    name, _, key = environment["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")
    url = f"{environment['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces"

    with Popen(program.command, cwd=program.cwd, env=program.environment) as process:
        try:
            wait_until(lambda: is_ready(program), "the collector listens")
            headers = {name: key.replace("%20", " ")}
            assert requests.post(url, b"", headers=headers, timeout=30).status_code == 200
            assert requests.post(url, b"", timeout=30).status_code == 401
        finally:
            process.terminate()
    assert process.returncode == 0
    assert len(list((tmp_path / "traces").iterdir())) == 1
    assert wanted.key not in repr(wanted)


def test_place_in_the_settings_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")

    with pytest.raises(SetupError, match="unset it to see them at /dev/traces/"):
        collector.wanted(8018)
