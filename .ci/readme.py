"""Run the README's commands as they are printed there.

`first` starts the application in a fresh clone, requests its pages and stops it; `second` runs the
tests in this checkout, with the options of pytest that PYTEST_ADDOPTS adds, if any.
"""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
SITE_NAME = runpy.run_path(str(ROOT / "project/config/settings/parts/names.py"))["SITE_NAME"]
COMMANDS = 2
LIMIT = 300  # seconds until the first page; the first start downloads everything
# The variables of a plain shell, and the certificates that a network may require. The rest of the
# environment is withheld: a reader's shell does not have it.
SHELL = re.compile(r"^(PATH|HOME|USER|LANG|TERM|TMPDIR)$|CERT|CA_BUNDLE|CAINFO|EXTRA_CA")


def commands() -> list[str]:
    """Return the lines of the README's first block of shell commands.

    Raises:
        SystemExit: the README has no such block of two commands.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in block[1].splitlines() if line.strip()] if block else []
    if len(lines) != COMMANDS:
        sys.exit("error: the first ```sh block of README.md must have two commands")
    return lines


def start_and_check(command: str) -> None:
    """Run the command in a fresh clone until its pages work, then interrupt it."""
    environment = {name: value for name, value in os.environ.items() if SHELL.search(name)}
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        print(f"$ {command}", flush=True)
        began = time.monotonic()
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=clone, env=environment, start_new_session=True
        )
        try:
            url = wait_for_page(process, clone / ".data" / "up.json")
            print(f"{url} answered after {time.monotonic() - began:.1f} s", flush=True)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def wait_for_page(process: "subprocess.Popen[bytes]", state: Path) -> str:
    """Return the URL once the home page and the list of articles show what they should."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            url: str = json.loads(state.read_text(encoding="utf-8"))["url"]
            for path, expected in {"/": SITE_NAME, "/articles/": "/people/"}.items():
                with urlopen(url + path, timeout=10) as page:  # noqa: S310 - a local server
                    if expected not in page.read().decode():
                        sys.exit(f"error: {url}{path} does not show {expected!r}")
        except (FileNotFoundError, URLError, ConnectionError, json.JSONDecodeError):
            time.sleep(0.2)
        else:
            return url
    sys.exit(f"error: no page within {LIMIT} s, or the command exited ({process.poll()})")


def main() -> None:
    first, second = commands()
    match sys.argv[1:]:
        case ["first"]:
            start_and_check(first)
        case ["second"]:
            print(f"$ {second}", flush=True)
            sys.exit(subprocess.run(["bash", "-c", second], cwd=ROOT, check=False).returncode)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
