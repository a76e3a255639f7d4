"""The configuration of nginx in the docs is one that nginx takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config.settings.parts.http import REQUEST_FILES_MAX_BYTES
from tests.repository import ROOT


@pytest.fixture
def server() -> str:
    text = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```nginx\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not on PATH")
def test_nginx_takes_the_configuration(server: str, tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    head = f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n"
    config.write_text(f"{head}http {{\naccess_log off;\n{server}}}\n")

    result = subprocess.run(
        ["nginx", "-t", "-c", config, "-p", tmp_path], capture_output=True, text=True, check=False
    )

    assert "syntax is ok" in result.stderr, result.stderr


def test_body_limit_is_that_of_the_application(server: str) -> None:
    assert f"client_max_body_size {REQUEST_FILES_MAX_BYTES // 1024**2}m;" in server
