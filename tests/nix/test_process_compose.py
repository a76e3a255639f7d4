"""process-compose.yaml is consistent with the settings and its scripts."""

import re

from config import env
from tests.nix import ROOT

TEXT = (ROOT / "process-compose.yaml").read_text()


def test_ports_and_defaults_match_the_settings() -> None:
    used = dict(re.findall(r"\$\{(\w+):-(\d+|\.data)\}", TEXT))
    listed = dict(
        re.findall(r"^# ([A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )

    assert len(used) == 7
    assert used == {name: listed[name] for name in used}
    assert used.keys() <= env.names_in(ROOT / ".env.example").keys()


def test_every_process_has_a_script_and_a_log() -> None:
    processes = dict(re.findall(r"^  ([a-z]+):\n((?:    .*\n|\n)+)", TEXT, re.MULTILINE))

    assert len(processes) == 10
    for name, body in processes.items():
        script = re.search(
            r"nix/services/run\.sh (\w+)$|nix/services/(\w+)\.sh$", body, re.MULTILINE
        )
        assert script
        assert name in script.groups()
        assert (ROOT / f"nix/services/{name}.sh").is_file()
        assert f'log_location: "${{DATA_DIR:-.data}}/log/{name}.log"' in body
