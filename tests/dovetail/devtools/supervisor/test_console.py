import io
import os
import pty
from pathlib import Path

import pytest

from dovetail.devtools.supervisor import console as consoles
from dovetail.devtools.supervisor.console import Console, Output


def on_terminal(monkeypatch: pytest.MonkeyPatch, no_color: str) -> str:
    """Return what is written to a terminal."""
    monkeypatch.setenv("NO_COLOR", no_color)
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w") as stream:
        Console(stream).line("web", "hello")
        text = os.read(reading, 1000).decode()
    os.close(reading)
    return text


def test_color_is_used_only_on_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_terminal(monkeypatch, "") == "\x1b[36m     web |\x1b[0m hello\r\n"
    assert on_terminal(monkeypatch, "1") == "     web | hello\r\n"
    stream = io.StringIO()
    Console(stream).line("web", "hello")
    assert stream.getvalue() == "     web | hello\n"


def test_closed_terminal_is_ignored() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        console = Console(gone)
        console.say("one")
        console.say("two")


def test_ascii_terminal_gets_escaped_text(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+", encoding="ascii") as ascii_only:
        Console(ascii_only).say("arrow →")
        ascii_only.seek(0)
        assert ascii_only.read() == "arrow \\u2192\n"


def test_output_is_logged_verbatim_and_shown_line_by_line(tmp_path: Path) -> None:
    stream = io.StringIO()
    output = Output("web", tmp_path, Console(stream))
    output.feed(b"one\ntwo ")
    output.feed(b"\xc3")
    output.feed(b"\xa9\r\n\xff\n")
    assert (tmp_path / "web.log").read_bytes() == b"one\ntwo \xc3\xa9\r\n\xff\n"
    assert stream.getvalue().splitlines() == ["     web | one", "     web | two é", "     web | �"]
    assert list(output.tail) == ["one", "two é", "�"]


def test_overlong_line_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "LINE_LIMIT", 10)
    stream = io.StringIO()
    output = Output("web", tmp_path, Console(stream))
    for _ in range(4):
        output.feed(b"123456")
    assert stream.getvalue().count("\n") == 2


def test_log_is_bounded_and_the_previous_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "LOG_LIMIT", 100)
    (tmp_path / "web.log").write_text("of the previous run")
    output = Output("web", tmp_path, Console(io.StringIO()))
    assert (tmp_path / "web.log").read_text() == ""
    assert (tmp_path / "web.log.1").read_text() == "of the previous run"
    for _ in range(50):
        output.feed(b"0123456789\n")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1"]


def test_unwritable_log_is_ignored(tmp_path: Path) -> None:
    stream = io.StringIO()
    output = Output("web", tmp_path, Console(stream))
    (tmp_path / "web.log").unlink()
    (tmp_path / "web.log").mkdir()
    output.feed(b"still here\n")
    assert "still here" in stream.getvalue()
