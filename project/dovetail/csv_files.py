"""Reads and writes the CSV files that people exchange with spreadsheets.

    for line, row in read(file, ["title", "body"]): ...  # 2, {"title": "Joints", "body": ""}

    StreamingHttpResponse(write(["title", "body"], rows), content_type="text/csv; charset=utf-8")

Reading accepts what spreadsheets save: UTF-8 with or without a byte-order mark, or UTF-16 with one,
and commas, semicolons or tabs between the fields, or what a first line such as `sep=;` names. Empty
columns without a name on the right are left out. What else is wrong is an error that names its line
and a remedy.

Writing keeps spreadsheets from running text as a formula, by the rules of OWASP, "CSV Injection"
(https://owasp.org/www-community/attacks/CSV_Injection):

- All fields are quoted.
- A field that begins with =, +, -, @, one of their full-width forms, a tab, a line feed or a
  carriage return gets an apostrophe in front.
- So does such a sign inside a field where a cell begins for a spreadsheet that takes another
  separator for granted, as those of half of Europe do: after a semicolon, a tab or a line break.
  Quotes are no help there, since it does not find them at the start of its cells.

Reading takes one apostrophe away at each of these places, so what was written is read as it was.

Own code because Python's csv module knows neither, and packages for imports read the whole file.
"""

import codecs
import csv
import io
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import IO

DELIMITERS = ",;\t"
HEADER = 10_000  # characters of the first line
FIELD = 200_000  # characters of a field: 100,000, each of which may be a line break of two
# What is written can be read, with as many apostrophes as a field can get: one in front, and one
# for two characters. For the whole process, as the module offers no other way; 131,072 by default.
csv.field_size_limit(FIELD + FIELD // 2 + 1)
# Excel's first line; with quotation marks and empty cells if it was edited as one of the rows.
SEPARATOR = re.compile(
    r"""\ufeff?(?P<quote>"?)sep=(?P<sign>[^\w\s'"]|\t)(?P=quote)(?P=sign)*[\r\n]*""", re.IGNORECASE
)
SIGNS = "=+\\-@＝＋－＠"  # noqa: RUF001 - the full-width ones, which some spreadsheets run as well
# Where a formula begins: in a field, and inside it where another separator or a new line would
# begin a cell. Apostrophes that are there already belong to it, so that each of them stays.
FORMULA = re.compile(rf"(?='*[{SIGNS}\t\r\n])")
FORMULA_INSIDE = re.compile(rf"[;\t\r\n](?=['\"]*[{SIGNS}])")
ESCAPE_INSIDE = re.compile(rf"'(?<=[;\t\r\n]')(?=['\"]*[{SIGNS}])")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ENDLESS = (
    f"A field does not end within {FIELD:,} characters. Perhaps a quotation mark is not closed."
)
NO_HEADER = "The file has no header: its first line names the columns."
SAVE_AS = "Save it as “CSV UTF-8” and upload it again."


class CSVError(ValueError):
    """A file that cannot be read, with what to do about it.

    Attributes:
        line: the line in the file, from 1; 0 for the whole file.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"Line {line}: {message}" if line else message)
        self.line = line


def read(
    file: IO[bytes], columns: Sequence[str], required: Sequence[str] = ()
) -> Generator[tuple[int, dict[str, str]]]:
    """Yield each row of a file, with the line on which it ends.

    Args:
        file: from its start. It is read as far as the rows are taken.
        columns: the names that the first line may contain, in any order and case. A row has all of
            them; those that the file lacks are empty.
        required: those that it must contain.

    Raises:
        CSVError: the file is empty, no text, or no CSV; or a row has more fields than the first
            line.
    """
    encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield from _rows(text, columns, required)
    except UnicodeError as error:
        raise CSVError(f"The file is not in UTF-8. {SAVE_AS}") from error
    finally:
        text.detach()  # leaves the file open


def _rows(
    text: io.TextIOWrapper, columns: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    head = text.readline(HEADER)
    if not head.strip():
        raise CSVError(NO_HEADER)
    named = SEPARATOR.fullmatch(head)
    delimiter = named["sign"] if named else max(DELIMITERS, key=head.count)
    text.seek(0)
    lines = csv.reader(text, delimiter=delimiter, strict=True)
    start = 1  # line of the row that is being read
    try:
        if named:
            next(lines)
        names = _filled([name.strip(" \ufeff").lower() for name in next(lines, [])])
        _check(names, lines.line_num, columns, required)
        empty = dict.fromkeys(columns, "")
        start = lines.line_num + 1
        for fields in lines:
            if any(fields[len(names) :]):
                raise CSVError(
                    f"It has {len(_filled(fields))} fields, but the first line names {len(names)} "
                    "columns. Put fields that contain a comma or a line break between double "
                    "quotes.",
                    lines.line_num,
                )
            if any(fields):
                values = [_unescape(field) for field in fields]
                if any(len(value) > FIELD for value in values):
                    raise CSVError(ENDLESS, start)
                yield lines.line_num, empty | dict(zip(names, values, strict=False))
            start = lines.line_num + 1
    except csv.Error as error:
        if "limit" in str(error) or "end of data" in str(error):
            raise CSVError(ENDLESS, start) from error
        raise CSVError(f"It is not CSV: {error}. {SAVE_AS}", lines.line_num) from error


def _filled(fields: list[str]) -> list[str]:
    """Return fields without the empty ones on the right, which spreadsheets add."""
    end = len(fields)
    while end and not fields[end - 1]:
        end -= 1
    return fields[:end]


def _check(names: list[str], line: int, columns: Sequence[str], required: Sequence[str]) -> None:
    known = ", ".join(columns)
    if not names:
        raise CSVError(NO_HEADER)
    if "" in names:
        number = names.index("") + 1
        raise CSVError(f"Column {number} has no name; use one of {known}, or remove it.", line)
    if unknown := [name for name in names if name not in columns]:
        raise CSVError(f"There is no column {unknown[0][:50]!r}; use some of {known}.", line)
    if missing := [name for name in required if name not in names]:
        raise CSVError(f"The column {missing[0]!r} is missing; use some of {known}.", line)
    if len(set(names)) < len(names):
        raise CSVError("Two columns have the same name.", line)


def write(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a file: the names of the columns, then the rows.

    It begins with a byte-order mark, by which spreadsheets know that it is UTF-8.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    buffer.write("\ufeff")
    writer.writerow(columns)
    yield buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_escape(str(field)) for field in row])
        yield buffer.getvalue()


def _escape(text: str) -> str:
    # Looking for single characters first is several times as fast, and most fields have none.
    if ";" in text or "\n" in text or "\t" in text or "\r" in text:
        text = FORMULA_INSIDE.sub(lambda found: f"{found[0]}'", text)
    return f"'{text}" if FORMULA.match(text) else text


def _unescape(text: str) -> str:
    text = ESCAPE_INSIDE.sub("", text)
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text
