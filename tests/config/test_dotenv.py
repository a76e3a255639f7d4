"""`.env`: one parser for names and values, which refuses what it does not understand."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, strategies as st

from config import dotenv, env
from tests.config.test_settings import run
from tests.frontend import locked_frontend

KNOWN = {"THING", "OTHER", "SECRET_KEY"}
VITE = "node_modules/vite/dist/node/index.js"

# What follows the name, and the value.
ACCEPTED = [
    ("=x", "x"),
    (" = x", "x"),
    ("  =  x  ", "x"),
    ("=x y", "x y"),
    ("=x # comment", "x"),
    ("=x  #comment", "x"),
    ("='x' # it's a comment", "x"),
    ('="x" # comment', "x"),
    ("='a # b'", "a # b"),
    ("='a$b#c\\d\"e'", 'a$b#c\\d"e'),
    ('="a # b"', "a # b"),
    ('="it\'s"', "it's"),
    ("=it's", "it's"),
    ('=say "x"', 'say "x"'),
    ("=''", ""),
    ('=""', ""),
    ("=a=b==", "a=b=="),
    ("=C:\\new", "C:\\new"),
    ("=Ünï", "Ünï"),
    ('=[{"id": "x", "name": "y"}]', '[{"id": "x", "name": "y"}]'),
    ("=Site <hello@localhost>", "Site <hello@localhost>"),
    ("=postgres://ada:p%23@db/kit?sslmode=require", "postgres://ada:p%23@db/kit?sslmode=require"),
]
EMPTY = ["THING=", "  THING=", "THING ="]
# Lines that other programs read differently, or that set nothing; "secret" is never shown.
REFUSED = [
    "secret",
    "THING",
    "export THING",
    "THING: secret",
    "THING:secret",
    "- THING=secret",
    "set THING=secret",
    "THI NG=secret",
    "THI-NG=secret",
    "1THING=secret",
    "\tTHING=secret",
    "THING=\tsecret",
    "THING=secret\t",
    "\t",
    "export  THING=secret",
    "EXPORT THING=secret",
    "=secret",
    "-----BEGIN secret-----",
    "THING=#secret",
    "THING= # secret",
    "THING=se#cret",
    "THING=x # y # z",
    "THING=se$cret",
    "THING='secret",
    "THING=secret'' '#",
    "THING='secret' secret",
    "THING='se'cret'",
    "THING='secret\\'",
    'THING="secret',
    'THING="secret" secret',
    'THING="se\\"cret"',
    'THING="se\\ncret"',
    'THING="$secret"',
    "THING=`secret`",
    "THING= ",
    "  THING =  ",
    "export THING=",
    "  export THING =",
    "THING=“secret”",
    "THING=\u00a0secret",
    "THING=secret\u00a0",
    "THING=sec\x0bret",
    "THING=sec\rret",
    "THING=sec\x00ret",
    "THING=sec\u2028ret",
]


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / ".env"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(ImproperlyConfigured) as raised:
        dotenv.read(path, KNOWN)
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


@pytest.mark.parametrize(("text", "value"), ACCEPTED)
@pytest.mark.parametrize("prefix", ["", "  ", "export ", "  export "])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_forms_that_all_programs_read_alike_are_accepted(
    tmp_path: Path, text: str, value: str, prefix: str, end: str
) -> None:
    """Kind: two grammars for one file, and a line that only one of them knows is dropped."""
    path = write(tmp_path, f"# comment\n\n{prefix}THING{text}{end}")

    assert dotenv.read(path, KNOWN) == {"THING": value}


@pytest.mark.parametrize("line", EMPTY)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_empty_value_that_all_programs_read_alike_is_accepted(
    tmp_path: Path, line: str, end: str
) -> None:
    path = write(tmp_path, f"{line}{end}OTHER=1{end}")

    assert dotenv.read(path, KNOWN) == {"THING": "", "OTHER": "1"}


@pytest.mark.parametrize("line", REFUSED)
def test_line_that_is_not_understood_is_refused(tmp_path: Path, line: str) -> None:
    """Kind: a setting that is dropped or misread silently, or a secret that is printed."""
    sentence = error_of(write(tmp_path, f"OTHER=1\n\n{line}\n"))

    assert sentence.startswith(".env line 3 ")
    assert not re.search("secret|sec|cret", sentence)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("THNIG=secret", "sets THNIG, which is not a setting. Did you mean THING?"),
        ("thing=secret", "sets a name, which is not a setting. Did you mean THING?"),
        ("Secret_Key=secret", "sets a name, which is not a setting. Did you mean SECRET_KEY?"),
        ("ZZZ=secret", "sets ZZZ, which is not a setting. .env.example lists all settings."),
        # The last line of a private key.
        ("c2VjcmV0=", "sets a name, which is not a setting. .env.example lists all settings."),
        ("ENV_FILE=secret", "sets ENV_FILE, which has no effect there"),
        ("OTHER=secret", "sets OTHER again, after line 1"),
        ("OTHER_FILE=secret", "sets OTHER again, after line 1"),
    ],
)
def test_name_that_sets_nothing_is_refused(tmp_path: Path, line: str, hint: str) -> None:
    """Kind: a setting that is silently left at its default."""
    sentence = error_of(write(tmp_path, f"OTHER=1\n{line}\n"))

    assert sentence.startswith(f".env line 2 {hint}")
    assert "secret" not in sentence


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("THING=sécret\n".encode("utf-16"), "line 1 is UTF-16"),
        ("THING=secret\n".encode("utf-16-le"), "line 1 contains a control character"),
        (b"OTHER=1\nTHING=s\xe9cret\n", "line 2 is not UTF-8"),
    ],
)
def test_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes, where: str) -> None:
    """Kind: a traceback for what an editor saved."""
    sentence = error_of(write(tmp_path, content))

    assert sentence.startswith(f".env {where}")
    assert "save the file as UTF-8" in sentence
    assert "cret" not in sentence


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Kind: the first line of a file is dropped because of what editors write before it."""
    path = write(tmp_path, "\ufeffTHING=1\nOTHER=2\n")

    assert dotenv.read(path, KNOWN) == {"THING": "1", "OTHER": "2"}


def test_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()  # as Docker does for a missing file

    assert error_of(tmp_path / ".env").endswith("/.env cannot be read: Is a directory.")


@given(st.text(alphabet="TH= \t'\"#$\\x:\n\r\ufeffé`", max_size=12))
def test_any_line_is_read_or_refused(text: str) -> None:
    """Kind: neither read nor refused: a line that vanishes."""
    path = env.BASE_DIR / ".data" / f"hypothesis-{os.getpid()}.env"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"THING{text}", encoding="utf-8", newline="")
    try:
        read = dotenv.read(path)
    except ImproperlyConfigured as error:
        assert re.search(r"\.env line \d", str(error))  # noqa: PT017 - it may also be read
    else:
        assert len(read) == sum(
            1 for line in text.split("\n") if line.strip() and not line.strip().startswith("#")
        ) or "THING" in next(iter(read))
    finally:
        path.unlink()


@pytest.mark.parametrize("given_name", ["OTHER", "OTHER_FILE"])
@pytest.mark.parametrize("name", ["OTHER", "OTHER_FILE"])
def test_environment_wins_over_the_file_in_either_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_name: str, name: str
) -> None:
    """Kind: a secret of the environment that a line in `.env` overrides."""
    secret = tmp_path / "secret"
    secret.write_text("of the environment")
    for either in ("OTHER", "OTHER_FILE"):
        monkeypatch.delenv(either, raising=False)
    monkeypatch.setenv(
        given_name, str(secret) if given_name == "OTHER_FILE" else "of the environment"
    )
    example = tmp_path / ".env.example"
    example.write_text("OTHER=\n")

    env.load_dotenv(write(tmp_path, f"{name}=of the file\n"), example=example)

    assert env.str("OTHER") == "of the environment"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"secret\n", "error: .env line 1 is not understood: write it as NAME=value.\n"),
        (b"\xff\xfes\0", "error: .env line 1 is UTF-16, not UTF-8: save the file as UTF-8.\n"),
    ],
)
def test_command_ends_in_one_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Kind: a traceback, or a setting that is ignored, for a line in `.env`."""
    result = run("project/manage.py", "check", ENV_FILE=str(write(tmp_path, content)))

    assert result.returncode == 1
    assert result.stderr == sentence


def test_env_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    result = run("project/manage.py", "check", ENV_FILE=str(tmp_path / "none"))

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: ENV_FILE names {tmp_path / 'none'}, which does not")


def test_uncommented_example_is_understood(tmp_path: Path) -> None:
    """Each line of the example can be used as it is."""
    example = env.BASE_DIR / ".env.example"
    lines = example.read_text(encoding="utf-8").splitlines()
    names = env.names_in(example)
    content = "\n".join(lines[number - 1].removeprefix("# ") for number in names.values())

    read = dotenv.read(write(tmp_path, content.replace("ENV_FILE=\n", "")), names)

    assert read.keys() == names.keys() - {"ENV_FILE"}


def test_vite_reads_the_same_values(tmp_path: Path, node: str) -> None:
    """Kind: two grammars for one file. Vite expands `$` itself, also between single quotes."""
    accepted = [(text, value) for text, value in ACCEPTED if "$" not in value]
    lines = [f"  export VITE_{at}{text}" for at, (text, _) in enumerate(accepted)]
    lines += [line.replace("THING", f"VITE_EMPTY_{at}") for at, line in enumerate(EMPTY)]
    path = write(tmp_path, "\r\n".join(lines))
    with locked_frontend() as frontend:
        if not (frontend / VITE).exists():
            pytest.skip("The front end is not installed. Run `bin/npm ci`")
        code = (
            f"import {{ loadEnv }} from {str(frontend / VITE)!r};"
            "console.log(JSON.stringify(loadEnv('development', process.argv[1], 'VITE_')))"
        )
        result = subprocess.run(
            [node, "--input-type=module", "--eval", code, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )

    assert json.loads(result.stdout) == dotenv.read(path)
    values = [value for _, value in accepted] + [""] * len(EMPTY)
    assert list(dotenv.read(path).values()) == values


def test_link_to_a_missing_file_is_reported(tmp_path: Path) -> None:
    """Kind: settings that are dropped without a word."""
    (tmp_path / ".env").symlink_to(tmp_path / "secrets.env")

    with pytest.raises(ImproperlyConfigured, match="cannot be read: No such file"):
        env.load_dotenv(tmp_path / ".env")


def test_name_that_is_too_long_is_reported_in_one_line() -> None:
    result = run("project/manage.py", "check", ENV_FILE="/" + "x" * 300)

    assert result.returncode == 1
    assert result.stderr.startswith("error: ENV_FILE names ")
    assert result.stderr.count("\n") == 1
