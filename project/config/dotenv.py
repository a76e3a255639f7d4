"""Reads `.env` files, accepting only what every program that reads them understands alike.

Django, process-compose and Vite read the same file, each with a parser of its own. What they read
differently (a `#` or `$` outside single quotes, a backslash in double quotes, two lines with one
name, `export` before an empty value) is refused here, and so is everything else that is not
understood: a setting that is dropped silently keeps its default. Errors name the file and the line,
never a value.
"""

import codecs
import difflib
import re
from collections.abc import Collection
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

LINE = re.compile(r"(?:export )?([A-Za-z_][A-Za-z0-9_]*) *= *(.*)", re.DOTALL)
# In a comment after a value, process-compose looks for the last " #" and the others for the first.
COMMENT = r"(?: +#[^#]*)?"
SINGLE_QUOTED = re.compile(rf"'([^']*)(?<!\\)'{COMMENT}")
DOUBLE_QUOTED = re.compile(rf'"([^"$\\]*)"{COMMENT}')
UNQUOTED = re.compile(rf"((?:[^\s#$'\"`\u2018\u2019\u201c\u201d](?:[^#$]*[^\s#$])?)?){COMMENT}")
LISTED = re.compile(r"(?:# ?)?([A-Z][A-Z0-9_]*)=")
SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


def names_in(example: Path) -> dict[str, int]:
    """Return the names that `.env.example` sets or shows commented out, with their line numbers."""
    lines = enumerate(example.read_text(encoding="utf-8").splitlines(), start=1)
    return {match[1]: number for number, line in lines if (match := LISTED.match(line))}


def read(path: Path, known: Collection[str] | None = None) -> dict[str, str]:
    """Return the settings in a file.

    Args:
        path: the file.
        known: the names that it may set, each also with `_FILE` appended; None allows all.

    Raises:
        ImproperlyConfigured: the file cannot be read, or a line is not understood.
    """
    values: dict[str, str] = {}
    lines_of: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line or line.startswith("#"):
            continue
        where = f"{path.name} line {number}"
        name, value = _parse(line, where)
        _check_name(name, known, where)
        setting = name.removesuffix("_FILE")
        if setting in lines_of:
            raise ImproperlyConfigured(
                f"{where} sets {setting} again, after line {lines_of[setting]}: remove one of them."
            )
        lines_of[setting] = number
        values[name] = value
    return values


def _lines(path: Path) -> list[str]:
    """Return the lines of a file without indentation."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from error
    remedy = "save the file as UTF-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ImproperlyConfigured(f"{path.name} line 1 is UTF-16, not UTF-8: {remedy}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ImproperlyConfigured(f"{path.name} line {number} is not UTF-8: {remedy}.") from None
    lines = [line.removesuffix("\r").lstrip(" ") for line in text.split("\n")]
    for number, line in enumerate(lines, start=1):
        if CONTROL.search(line):
            raise ImproperlyConfigured(
                f"{path.name} line {number} contains a control character: remove it, or, if an "
                f"editor saved the file as UTF-16, {remedy}."
            )
        if "\t" in line and not line.startswith("#"):
            # Vite takes it as a part of the name or value.
            raise ImproperlyConfigured(
                f"{path.name} line {number} contains a tab: use a space instead."
            )
    return lines


def _parse(line: str, where: str) -> tuple[str, str]:
    match = LINE.fullmatch(line.rstrip(" "))
    if not match:
        raise ImproperlyConfigured(f"{where} is not understood: write it as NAME=value.")
    name, text = match[1], match[2]
    if not text and (line.startswith("export ") or line.endswith(" ")):
        # Node, which Vite asks, would take the next line for the value or `export` for the name.
        raise ImproperlyConfigured(
            f"{where} has an empty value that programs read differently: write it as NAME='', or "
            "remove the line."
        )
    if text.startswith("'"):
        pattern = SINGLE_QUOTED
        remedy = "end the value with ', use no other ' in it, and put a comment on its own line"
    elif text.startswith('"'):
        pattern = DOUBLE_QUOTED
        remedy = r"""use ' instead of " around a value that contains ", $ or \, and end it with '"""
    else:
        pattern = UNQUOTED
        remedy = "put the value between ' and ', and a comment on its own line"
    value = pattern.fullmatch(text)
    if not value:
        # A value of several lines ends up here too, at its first line.
        raise ImproperlyConfigured(
            f"{where} has a value that programs read differently: {remedy}; for a value of several "
            "lines, use NAME_FILE."
        )
    return name, value[1]


def _check_name(name: str, known: Collection[str] | None, where: str) -> None:
    if name == "ENV_FILE":
        raise ImproperlyConfigured(
            f"{where} sets ENV_FILE, which has no effect there: set it in the environment."
        )
    if known is None or name in known or name.removesuffix("_FILE") in known:
        return
    near = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"Did you mean {near[0]}?" if near else ".env.example lists all settings."
    # Otherwise it may be a line of a key, which must not be shown.
    shown = name if SETTING.fullmatch(name) else "a name"
    raise ImproperlyConfigured(f"{where} sets {shown}, which is not a setting. {hint}")
