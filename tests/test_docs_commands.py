"""The shell commands of the documentation work as they are printed: tests/commands.py says how.

The site is the one of CONTRIBUTING.md: its block is run in a fresh clone, and the others beside it.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.conf import settings

import readme
from dovetail.devtools.embedded.testing import free_ports, throwaway_s3
from dovetail.devtools.errors import SetupError
from tests.commands import HELP, SHELL, Block, MarkError, blocks, fences, pages
from tests.repository import ROOT

PRINTED = [block for page in pages() for block in blocks(page)]
RUN = [block for block in PRINTED if not block.skipped and not block.runner]
[START] = [block for block in PRINTED if block.page == "CONTRIBUTING.md"]
LIMIT = 600  # seconds until the site answers, or a block has ended
SITE, PROMPT = "http://site.example", re.compile(rb": ?$")
# How a line begins that people type into a shell.
COMMAND = re.compile(
    r"(?:\$ )?(?:sudo |[A-Z_]+=\S* )*(?:bin/[\w-]+|uvx?|nix|npm|npx|pip|git|docker|podman|kubectl|"
    r"kustomize|helm|cosign|gh|curl|ssh|scp|aws|psql|pg_dump|systemctl|apt|apt-get|python3?) "
)


def shell(**more: str) -> dict[str, str]:
    """Return the environment of a reader's shell, without the environment of these tests."""
    kept = {name: value for name, value in os.environ.items() if readme.SHELL.search(name)}
    ours = Path(sys.executable).parent
    folders = [one for one in kept["PATH"].split(os.pathsep) if Path(one) != ours]
    return kept | {"PATH": os.pathsep.join(folders)} | more


@contextmanager
def clone() -> Iterator[Path]:
    """Clone the current commit into a folder that PostgreSQL's user may enter."""
    for program in ("git", "uv"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not on PATH: readers need it")
    if not (ROOT / ".git").exists():
        pytest.skip("there is no repository to clone, as in the sandbox of a build")
    folder = Path(tempfile.mkdtemp(prefix="docs-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder / "site"], check=True)
        yield folder / "site"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """Where commands are run.

    Attributes:
        folder: the clone.
        environment: of the shell.
        variables: what a mark may name.
    """

    folder: Path
    environment: dict[str, str]
    variables: dict[str, str]


@pytest.fixture(scope="module")
def development() -> Iterator[Place]:
    """Start the site as CONTRIBUTING.md says, and stop it by Ctrl-C."""
    with clone() as folder, tempfile.TemporaryFile() as output:
        environment = shell(PORT=str(free_ports(4)))
        process = subprocess.Popen(
            ["bash", "-ec", START.code],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            site = wait_for_site(process, folder / ".data/up.json")
            if not site:
                output.seek(0)
                pytest.fail(f"{START.place} starts no site:\n{output.read().decode()[-3000:]}")
            yield Place(folder, environment, {"SITE": site})
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGINT)
            process.wait(LIMIT)


def wait_for_site(process: "subprocess.Popen[bytes]", state: Path) -> str:
    """Return the address of the site once its home page answers; "" if it does not."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            url: str = json.loads(state.read_text(encoding="utf-8"))["url"]
            with urlopen(url, timeout=30):  # noqa: S310 - a local server
                return url
        except (FileNotFoundError, URLError, ConnectionError, json.JSONDecodeError):
            time.sleep(0.2)
    return ""


@pytest.fixture(scope="module")
def production(development: Place) -> Iterator[Place]:
    """Return a clone like one on a server: the settings of production, S3, and an active .venv."""
    written = json.loads((development.folder / ".data/up.json").read_text(encoding="utf-8"))
    services = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL")
    try:
        with clone() as folder, throwaway_s3(settings.DATA_DIR, SITE) as (s3, _):
            environment = shell(
                DJANGO_SETTINGS_MODULE="config.settings.production",
                SECRET_KEY=secrets.token_urlsafe(50),
                ALLOWED_HOSTS="site.example",
                SITE_URL="https://site.example",
                TRUSTED_PROXY_COUNT="1",
                EMAIL_URL="smtp://127.0.0.1:25",
                DEFAULT_FROM_EMAIL="hello@site.example",
                S3_ENDPOINT_URL=s3.url,
                **{name: written["environment"][name] for name in services},
            )
            environment["PATH"] = f"{folder}/.venv/bin{os.pathsep}{environment['PATH']}"
            build = "bin/setup; bin/npm run build; python project/manage.py collectstatic --noinput"
            built = run_shell(build, folder, environment)
            assert built.returncode == 0, built.stdout.decode()
            yield Place(folder, environment, {"KEY": s3.key, "SECRET": s3.secret})
    except SetupError as error:
        pytest.skip(str(error))


def run_shell(
    code: str, folder: Path, environment: dict[str, str]
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["bash", "-ec", code],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        check=False,
    )


def run(block: Block, place: Place) -> "subprocess.CompletedProcess[bytes]":
    """Run the commands of a block, and return what they printed."""
    code = block.commands(place.variables)
    if block.typed:
        return run_on_a_terminal(code, block.typed, place)
    return run_shell(code, place.folder, place.environment)


def run_on_a_terminal(
    code: str, lines: tuple[str, ...], place: Place
) -> "subprocess.CompletedProcess[bytes]":
    """Run commands on a terminal of its own, and type a line whenever it waits at a prompt."""
    if sys.platform != "linux" or not shutil.which("script"):
        pytest.skip("there is no script of util-linux, which makes a terminal")
    printed = b""
    waiting = list(lines)
    with subprocess.Popen(
        ["script", "--quiet", "--return", "--flush", "--command", f"set -e\n{code}", "/dev/null"],
        cwd=place.folder,
        env=place.environment | {"SHELL": shutil.which("bash") or "bash"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin
        assert process.stdout
        while chunk := os.read(process.stdout.fileno(), 65536):
            printed += chunk
            if waiting and PROMPT.search(printed):
                process.stdin.write(f"{waiting.pop(0)}\n".encode())
                process.stdin.flush()
    # A line that nothing asked for is a failure, too.
    return subprocess.CompletedProcess(code, process.returncode or len(waiting), printed)


@pytest.mark.long("clones the repository and starts the site")
@pytest.mark.xdist_group("docs-commands")
@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_commands_work_as_they_are_printed(block: Block, request: pytest.FixtureRequest) -> None:
    place = request.getfixturevalue("production" if block.production else "development")

    result = run(block, place)

    assert result.returncode == 0, (
        f"{block.place} ended with status {result.returncode}:\n"
        f"{result.stdout.decode(errors='replace')[-3000:]}\n{HELP}"
    )


@pytest.mark.parametrize("page", pages())
def test_commands_are_in_blocks_of_sh(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found = []
    inside: set[int] = set()
    for start, language, code in fences(lines):
        inside |= set(range(start, start + len(code) + 2))
        if not language:
            found.append(f"{page}:{start + 1}: name the language of the block: sh, text or another")
        if language == "text":
            found += [
                f"{page}:{start + 1}: '{one}' is a command" for one in code if is_command(one)
            ]
    for number, line in enumerate(lines):
        if number not in inside and line.startswith("    ") and is_command(line):
            found.append(f"{page}:{number + 1}: write commands between ```sh and ```")

    assert found == []


def is_command(line: str) -> bool:
    return bool(COMMAND.match(line.strip()))


def only(mark: str, code: str = "bin/dev\n", language: str = "sh") -> Block:
    [block] = blocks("docs/deploy.md", f"Do it:\n\n{mark}\n```{language}\n{code}```\n")
    return block


def test_block_without_a_mark_is_run() -> None:
    block = only("")

    assert (block.code, block.skipped, block.runner, block.typed) == ("bin/dev\n", "", "", ())
    assert block.place == "docs/deploy.md:4"


def test_mark_says_why_a_block_is_not_run() -> None:
    block = only("<!-- not run: it needs a server with a domain -->", language="console")

    assert block.skipped == "it needs a server with a domain"


def test_options_are_read() -> None:
    mark = "<!-- run: production; replace https://s.example with $SITE/a; type a@b, c -->"
    block = only(mark, "curl https://s.example\n")

    assert block.production
    assert block.typed == ("a@b", "c")
    assert block.commands({"SITE": "http://localhost:1"}) == "curl http://localhost:1/a\n"


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("<!-- not run: -->", "is no mark"),
        ("<!-- not run:  -->", "is no reason"),
        ("<!-- not run: slow -->", "is no reason"),
        ("<!-- not run, it needs a server -->", "is no mark"),
        ("<!-- run by: tests/none.py -->", "does not exist"),
        ("<!-- run by: tests/conftest.py -->", "does not name docs/deploy.md"),
        ("<!-- run: sometimes -->", "'sometimes' is no option"),
        ("<!-- run: replace A -->", "'replace A' is no option"),
        ("<!-- not run: it needs a server -->\n", "no fence of sh"),
    ],
)
def test_wrong_mark_is_refused_with_the_remedy(mark: str, message: str) -> None:
    with pytest.raises(MarkError, match=message) as error:
        only(mark)
    assert str(error.value).startswith("docs/deploy.md:3: ")
    assert "<!-- not run: why a test can't run it -->" in str(error.value)


def test_mark_above_another_language_is_refused() -> None:
    with pytest.raises(MarkError, match="no fence of sh"):
        only("<!-- not run: it needs a server -->", language="text")


def test_placeholder_that_is_not_there_is_refused() -> None:
    with pytest.raises(MarkError, match="no 'https://other' to replace"):
        only("<!-- run: replace https://other with $SITE -->").commands({"SITE": ""})
    with pytest.raises(MarkError, match=r"\$HOST is none of SITE"):
        only("<!-- run: replace bin with $HOST -->").commands({"SITE": ""})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("uv run pytest", True),
        ("$ docker compose up -d", True),
        ("PORT=1 bin/dev --port 2", True),
        ("SECRET_KEY=…", False),
        ("gitleaks is one word", False),
        ("Drop subscriptions when a session ends elsewhere", False),
    ],
)
def test_command_is_told_from_text(line: str, expected: bool) -> None:
    assert is_command(line) is expected


def test_every_language_of_shells_is_known() -> None:
    assert {"sh", "bash", "console", "shell"} <= SHELL


class TestRunning:
    """That a command which fails is seen, and a terminal is one."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path, shell(), {})

    def test_first_failure_ends_a_block(self, place: Place) -> None:
        result = run(only("", "echo one\nfalse\necho two\n"), place)

        assert (result.returncode, result.stdout) == (1, b"one\n")

    def test_shell_has_nothing_of_the_environment_of_the_tests(self, place: Place) -> None:
        code = 'echo "$DJANGO_SETTINGS_MODULE$DATABASE_URL$VIRTUAL_ENV"\n'

        assert run(only("", code), place).stdout == b"\n"

    def test_lines_are_typed_at_prompts(self, place: Place) -> None:
        code = 'read -rp "Name: " name\nread -rsp "Password: " word\n[ "$name$word" = ab ]\n'

        assert run(only("<!-- run: type a, b -->", code), place).returncode == 0
        assert run(only("<!-- run: type a, c -->", code), place).returncode == 1
        assert run(only("<!-- run: type a, b, c -->", code), place).returncode == 1
