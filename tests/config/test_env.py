import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THING", raising=False)
    monkeypatch.delenv("THING_FILE", raising=False)
    monkeypatch.setattr(env, "names_read", set())


def test_environment_overrides_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.str("THING", "default") == "default"
    monkeypatch.setenv("THING", "set")
    assert env.str("THING", "default") == "set"
    assert env.names_read == {"THING"}


@pytest.mark.parametrize("value", [None, ""])
def test_setting_without_a_default_is_required(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=r"THING is not set\. Set it \(or THING_FILE\)"):
        env.str("THING")


def test_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    assert env.is_set("THING")
    assert env.str("THING") == "s3cret"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_unreadable_secret_file_is_named_in_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    with pytest.raises(
        ImproperlyConfigured, match=r"THING_FILE must be the path of a file .* cannot be read: "
    ) as error:
        env.str("THING")
    # A secret may have been put in place of its path.
    assert str(tmp_path) not in str(error.value)


def test_file_may_begin_with_a_mark_of_the_byte_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbf7\r\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    assert env.str("THING") == "7"
    assert env.int("THING", 0) == 7


@pytest.mark.parametrize("default", [None, "", "default"])
def test_empty_value_does_not_hide_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, default: str | None
) -> None:
    """Kind: a secret that is set, and not used."""
    (tmp_path / "secret").write_text("s3cret")
    monkeypatch.setenv("THING", "")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    with pytest.raises(
        ImproperlyConfigured, match=r"THING is set to nothing, .* unset one of them"
    ):
        env.str("THING", default)


READERS: dict[str, Callable[[], object]] = {
    "str": lambda: env.str("THING"),
    "lines": lambda: env.str("THING", lines=True),
    "list": lambda: env.list("THING"),
    "list of lines": lambda: env.list("THING", lines=True),
    "int": lambda: env.int("THING", 1),
    "bool": lambda: env.bool("THING"),
    "url": lambda: env.url("THING", "https"),
    "database": lambda: env.database("THING"),
    "folder": lambda: env.folder("THING", Path()),
    "foreign": lambda: env.foreign("THING"),
}


@pytest.mark.parametrize("reader", READERS)
def test_value_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    """Kind: bytes that Python hides in a text, which fails wherever it is encoded."""
    monkeypatch.setenv("THING", "postgres://u:hidden\udcff@h/d")

    with pytest.raises(ImproperlyConfigured, match=r"^THING is not UTF-8 text") as error:
        READERS[reader]()
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("value", [None, "", "set"])
def test_file_that_is_set_to_nothing_is_not_set(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Kind: what Compose passes on of a variable that nobody has set."""
    monkeypatch.setenv("THING_FILE", "")
    if value is not None:
        monkeypatch.setenv("THING", value)

    assert env.str("THING", "default") == ("default" if value is None else value)
    assert env.is_set("THING") == (value is not None)


def test_folder_may_have_a_line_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "/srv/état\nd'urgence")

    assert env.folder("THING", Path()) == Path("/srv/état\nd'urgence")


@pytest.mark.parametrize("source", ["environment", "file", ".env"])
def test_text_is_read_in_a_locale_without_its_letters(tmp_path: Path, source: str) -> None:
    """Kind: a shell whose locale is C, in which Python takes the bytes of é for no letter."""
    (tmp_path / "thing").write_text("/srv/été", encoding="utf-8")
    (tmp_path / ".env").write_text("THING=/srv/été\n", encoding="utf-8")
    (tmp_path / ".env.example").write_text("# THING=\n", encoding="utf-8")
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from config import env\n"
        "folder = Path(os.environ['HERE'])\n"
        "env.load_dotenv(folder / '.env', example=folder / '.env.example')\n"
        "print(ascii(env.str('THING')), os.fsencode(env.folder('THING', folder)))"
    )
    values = {"environment": {"THING": "/srv/été"}, "file": {"THING_FILE": str(tmp_path / "thing")}}
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=env.BASE_DIR / "project",
        env={"HERE": str(tmp_path), "ENV_FILE": os.devnull, **odd, **values.get(source, {})},
        capture_output=True,
        text=True,
        check=False,
    )

    expected = "/srv/été"
    assert result.stdout == f"{expected!a} {expected.encode()!r}\n", result.stderr


@pytest.mark.parametrize("reader", [name for name in READERS if name != "foreign"])
def test_value_with_a_null_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str
) -> None:
    """Kind: what no program that is started can be given, and no database takes."""
    (tmp_path / "secret").write_bytes(b"hidden\0hidden")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    with pytest.raises(ImproperlyConfigured, match=r"^THING contains .*control char") as error:
        READERS[reader]()
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("line_break", ["\n", "\r", "\x0b", "\x85", "\u2028", "\t"])
def test_line_break_is_refused_unless_a_setting_has_lines(
    monkeypatch: pytest.MonkeyPatch, line_break: str
) -> None:
    """Kind: a setting that becomes a header, in which the rest would be another one."""
    monkeypatch.setenv("THING", f"one{line_break}two")

    for read in (env.str, env.list):
        with pytest.raises(ImproperlyConfigured, match=r"^THING contains a .*control char"):
            read("THING")
    monkeypatch.setenv("THING", "one\n\ttwo\r\n")
    assert env.str("THING", lines=True) == "one\n\ttwo\r\n"
    assert env.list("THING", lines=True) == ["one\n\ttwo"]


def test_line_breaks_around_values_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: how YAML writes a long value."""
    monkeypatch.setenv("THING", "one,\n two\n")
    assert env.list("THING") == ["one", "two"]
    monkeypatch.setenv("THING", "one \n")
    assert env.str("THING") == "one "


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("1", True), ("off", False)])
def test_bool_accepts_common_spellings(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("THING", value)

    assert env.bool("THING") is expected


@pytest.mark.parametrize("value", ["yess", "2", "truefalse"])
def test_bool_rejects_other_values(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THING", value)

    with pytest.raises(ImproperlyConfigured, match=r"^THING must be true or false\.$"):
        env.bool("THING")


@pytest.mark.parametrize("value", ["-1", "1.5", "abc", "0", "1_0", "٣"])
def test_int_rejects_what_is_not_a_number_in_range(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("THING", value)

    with pytest.raises(ImproperlyConfigured, match=r"number of at least 1\.$"):
        env.int("THING", 5, least=1)


def test_int_says_how_large_a_number_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "9" * 20)

    with pytest.raises(ImproperlyConfigured, match=r"^THING must be at most 999999999\.$"):
        env.int("THING", 5)
    with pytest.raises(ImproperlyConfigured, match=r"^THING must be at most 9\.$"):
        env.int("THING", 5, most=9)


def test_list_drops_empty_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "a.org, b.org ,,")

    assert env.list("THING") == ["a.org", "b.org"]


@pytest.mark.parametrize(
    "value",
    [
        "postgres",
        "mysql://u:hidden@host/db",
        "postgres:///db",
        "postgres://u:hidden@host:port/db",
        "postgres://u:hidden@host:99999/db",
        "postgres://u:hidden@[::1/db",
        "postgres://u:hidden@host/",
    ],
)
def test_malformed_database_url_is_reported_without_its_password(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("THING", value)

    with pytest.raises(ImproperlyConfigured, match="THING") as raised:
        env.database("THING")
    assert "hidden" not in str(raised.value)


def test_database_url_becomes_django_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "postgres://ada:p%40ss@db.example:5433/kit")

    config = env.database("THING")

    assert config["ENGINE"] == "dovetail.database"
    assert (config["USER"], config["PASSWORD"]) == ("ada", "p@ss")
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example", 5433, "kit")


def test_smtp_url_becomes_django_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "smtp+tls://ada:pass@mail.example:587")

    config = env.email("THING")

    assert config["EMAIL_HOST"] == "mail.example"
    assert config["EMAIL_PORT"] == 587
    assert config["EMAIL_USE_TLS"]
    assert config["EMAIL_BACKEND"].endswith("smtp.EmailBackend")


class TestDotenv:
    @pytest.fixture
    def example(self, tmp_path: Path) -> Path:
        path = tmp_path / ".env.example"
        path.write_text("# Text in capitals=not a name\n# THING=1\nOTHER=2\n")
        return path

    def load(self, content: str, example: Path) -> None:
        path = example.parent / ".env"
        path.write_text(content)
        env.load_dotenv(path, example=example)

    def test_values_are_read_but_the_environment_wins(
        self, example: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTHER", "mine")
        self.load("THING='a b'\nOTHER=theirs\n", example)

        assert env.str("THING") == "a b"
        assert env.str("OTHER") == "mine"

    def test_misspelled_name_is_refused_with_a_suggestion(self, example: Path) -> None:
        with pytest.raises(
            ImproperlyConfigured,
            match=r"\.env line 2 sets THNIG, which is not a setting\. Did you mean THING\?",
        ):
            self.load("OTHER=1\nTHNIG=2\n", example)

    def test_unknown_name_is_refused(self, example: Path) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"\.env\.example lists all settings\."):
            self.load("ZZZ=1\n", example)

    def test_name_with_file_suffix_is_accepted(self, example: Path) -> None:
        self.load("THING_FILE=/run/secret\n", example)

    def test_missing_file_is_ignored(self, tmp_path: Path) -> None:
        env.load_dotenv(tmp_path / ".env")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", env.BASE_DIR / ".data"),
        (".data/other", env.BASE_DIR / ".data/other"),
        ("/var/data", Path("/var/data")),
        ("~/data", Path.home() / "data"),
    ],
)
def test_folder_does_not_depend_on_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, expected: Path
) -> None:
    """Kind: a value that its readers understand differently."""
    monkeypatch.setenv("THING", value)
    monkeypatch.chdir(tmp_path)

    assert env.folder("THING", env.BASE_DIR / ".data") == expected


@pytest.mark.parametrize("value", ["~no-such-user/data", "~+", "~no-such-user"])
def test_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Kind: a traceback of pathlib that names no setting."""
    monkeypatch.setenv("THING", value)

    with pytest.raises(ImproperlyConfigured, match=r"^THING starts with a ~ .*the whole path"):
        env.folder("THING", env.BASE_DIR)
