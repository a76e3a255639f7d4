"""Runs the README's commands as they stand there, as somebody who has only read it would.

`first` starts the application in a clone of its own, looks at it and stops it; `second` runs the
tests here.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = 2
LIMIT = 300  # seconds until the first page; a first start downloads everything
# What a shell of somebody else has too, and the certificates that a network may ask for; nothing of
# this project's environment goes along.
SHELL = re.compile(r"^(PATH|HOME|USER|LANG|TERM|TMPDIR)$|CERT|CA_BUNDLE|CAINFO|EXTRA_CA")


def commands() -> list[str]:
    """Return the lines of the README's first block of shell commands.

    Raises:
        SystemExit: there is no such block of two commands.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in block[1].splitlines() if line.strip()] if block else []
    if len(lines) != COMMANDS:
        sys.exit("error: README.md must open with a block of two shell commands")
    return lines


def start_and_look(command: str) -> None:
    """Run the command in a clone until its page answers, then interrupt it."""
    environment = {name: value for name, value in os.environ.items() if SHELL.search(name)}
    with tempfile.TemporaryDirectory(prefix="dovetail-readme-") as folder:
        clone = Path(folder) / "dovetail"
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
    """Return the address once its home page and its list show what they should."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            url: str = json.loads(state.read_text(encoding="utf-8"))["url"]
            for path, expected in {"/": "Dovetail", "/articles/": "/people/"}.items():
                with urlopen(url + path, timeout=10) as page:  # noqa: S310 - our own server
                    if expected not in page.read().decode():
                        sys.exit(f"error: {url}{path} does not show {expected!r}")
        except (FileNotFoundError, URLError, ConnectionError, json.JSONDecodeError):
            time.sleep(0.2)
        else:
            return url
    sys.exit(f"error: no page after {LIMIT} s, or the command ended ({process.poll()})")


def main() -> None:
    first, second = commands()
    match sys.argv[1:]:
        case ["first"]:
            start_and_look(first)
        case ["second"]:
            print(f"$ {second}", flush=True)
            sys.exit(subprocess.run(["bash", "-c", second], cwd=ROOT, check=False).returncode)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
