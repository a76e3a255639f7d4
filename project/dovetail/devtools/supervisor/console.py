"""Terminal output: startup steps with their durations, and the prefixed output of all processes."""

import os
from collections import deque
from pathlib import Path
from typing import TextIO

COLORS = (36, 33, 35, 32, 34, 31)  # ANSI: cyan, yellow, magenta, green, blue, red
DIM, BOLD = 2, 1
LOG_LIMIT = 5_000_000  # bytes per log file; one older file of the same size is kept
LINE_LIMIT = 65_536  # bytes; longer lines are split


class Console:
    """Writes to a terminal (in color unless NO_COLOR is set) or to a file."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.color = stream.isatty() and not os.environ.get("NO_COLOR")
        self.names: list[str] = []

    def say(self, text: str = "") -> None:
        """Write a line. A closed terminal is not an error."""
        try:
            self.stream.write(f"{text}\n")
            self.stream.flush()
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        except OSError:
            # Otherwise Python reports the unwritten output as an error when it exits.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def step(self, what: str, seconds: float | None = None) -> None:
        """Report that a startup step is done."""
        took = self._paint(f" {seconds:.1f} s", DIM) if seconds is not None else ""
        self.say(f"  {self._paint('ok', 32)}  {what}{took}")

    def line(self, name: str, text: str) -> None:
        """Write a line of a process's output."""
        if name not in self.names:
            self.names.append(name)
        color = COLORS[self.names.index(name) % len(COLORS)]
        self.say(f"{self._paint(f'{name:>8} |', color)} {text}")

    def bold(self, text: str) -> str:
        return self._paint(text, BOLD)

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


class Output:
    """Writes the output of one process to its log file and the console.

    The log is bounded, and drops lines when the disk is full. Own code because the rotating handler
    of `logging` would print a traceback for each of those lines.
    """

    def __init__(self, name: str, directory: Path, console: Console) -> None:
        self.name = name
        self.console = console
        self.path = directory / f"{name}.log"
        self.tail: deque[str] = deque(maxlen=50)  # its last lines
        self._rest = b""
        self._rotate()

    def feed(self, data: bytes) -> None:
        """Handle output that the process has written."""
        if self._size > LOG_LIMIT:
            self._rotate()
        self._append(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self.tail.append(text)
            self.console.line(self.name, text)

    def note(self, text: str) -> None:
        """Write a line about the process."""
        self._append(f"{text}\n".encode())
        self.console.line(self.name, text)

    def _append(self, data: bytes) -> None:
        self._size += len(data)
        try:
            with self.path.open("ab") as log:
                log.write(data)
        except OSError:
            return

    def _rotate(self) -> None:
        self._size = 0
        if self.path.exists():
            self.path.replace(self.path.with_suffix(".log.1"))
        self.path.touch()
