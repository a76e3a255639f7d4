"""What the developer sees: steps with their times, and the output of all processes, prefixed."""

import os
from collections import deque
from pathlib import Path
from typing import TextIO

COLOURS = (36, 33, 35, 32, 34, 31)  # ANSI: cyan, yellow, magenta, green, blue, red
DIM, BOLD = 2, 1
LOG_LIMIT = 5_000_000  # bytes of a log; one older file of the same size is kept
LINE_LIMIT = 65_536  # bytes; a longer line is broken


class Console:
    """Writes to a terminal (in colour unless NO_COLOR is set) or to a file."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self.names: list[str] = []

    def say(self, text: str = "") -> None:
        """Write a line; a terminal that is gone is no reason to stop."""
        try:
            self.stream.write(f"{text}\n")
            self.stream.flush()
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        except OSError:
            # Python itself would complain about what it could not write when it ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def step(self, what: str, seconds: float | None = None) -> None:
        """Report that a part of the start is done."""
        took = self._paint(f" {seconds:.1f} s", DIM) if seconds is not None else ""
        self.say(f"  {self._paint('ready', 32)}  {what}{took}")

    def line(self, name: str, text: str) -> None:
        """Write a line of a process."""
        if name not in self.names:
            self.names.append(name)
        colour = COLOURS[self.names.index(name) % len(COLOURS)]
        self.say(f"{self._paint(f'{name:>8} |', colour)} {text}")

    def bold(self, text: str) -> str:
        return self._paint(text, BOLD)

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


class Output:
    """Where the output of one process goes: its log file and the console.

    The log is bounded and survives a full disk (by leaving lines out). `logging`'s rotating handler
    would print a traceback for each line then.
    """

    def __init__(self, name: str, directory: Path, console: Console) -> None:
        self.name = name
        self.console = console
        self.path = directory / f"{name}.log"
        self.tail: deque[str] = deque(maxlen=50)  # its last lines
        self._rest = b""
        self._rotate()

    def feed(self, data: bytes) -> None:
        """Take what the process has written."""
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
        """Write a line of our own about the process."""
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
