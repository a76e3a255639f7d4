"""What spreadsheets save and what people make of it."""

import csv
import io
import time

import pytest
from hypothesis import example, given, strategies as st

from dovetail.csv_files import FIELD, CSVError, read, write

COLUMNS = ["title", "body"]
TEXT = st.characters(codec="utf-8")


def rows(content: bytes | str, **options: list[str]) -> list[tuple[int, dict[str, str]]]:
    data = content.encode() if isinstance(content, str) else content
    return list(read(io.BytesIO(data), options.pop("columns", COLUMNS), **options))


@pytest.mark.parametrize(
    "content",
    [
        "title,body\nJoints,“Wood, wood”\n".replace("“Wood, wood”", '"Wood, wood"'),
        '\ufefftitle,body\r\nJoints,"Wood, wood"\r\n',
        "title;body\nJoints;Wood, wood\n",
        "title\tbody\nJoints\tWood, wood\n",
        ' Title ,BODY\nJoints,"Wood, wood"',
        'body,title\n"Wood, wood",Joints\n',
        'title,body\n\n,\nJoints,"Wood, wood"\n\n',
        'title,body\rJoints,"Wood, wood"\r',
        "sep=;\ntitle;body\nJoints;Wood, wood\n",
        "\ufeffSEP=;\r\ntitle;body\r\nJoints;Wood, wood\r\n",
        "sep=\t\rtitle\tbody\rJoints\tWood, wood\r",
        'sep=,\ntitle,body\nJoints,"Wood, wood"\n',
        "sep=|\ntitle|body\nJoints|Wood, wood\n",
        '"sep=;"\ntitle;body\nJoints;Wood, wood\n',
        '"SEP=;";;\r\n"title";"body"\r\n"Joints";"Wood, wood"\r\n',
        "sep=;;\ntitle;body;\nJoints;Wood, wood;\n",
        '"sep=\t"\t\t\ntitle\tbody\nJoints\tWood, wood\n',
        '"sep=,",\ntitle,body\nJoints,"Wood, wood"\n',
        "title;body;\nJoints;Wood, wood;\n",
        "title;body;;;\n;;;;\nJoints;Wood, wood;;;\n",
        "title;body; ;\nJoints;Wood, wood\n",
        "title;body\nJoints;Wood, wood;;\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_spreadsheets_save_is_read(content: str, encoding: str) -> None:
    ((_, row),) = rows(content.encode(encoding))

    assert row == {"title": "Joints", "body": "Wood, wood"}


def test_rows_have_the_line_on_which_they_end() -> None:
    assert rows('title,body\na,"1\n2"\n\nb,3\n') == [
        (3, {"title": "a", "body": "1\n2"}),
        (5, {"title": "b", "body": "3"}),
    ]


def test_missing_fields_are_empty() -> None:
    assert rows("title\na\n") == [(2, {"title": "a", "body": ""})]
    assert rows("title,body\na\n") == [(2, {"title": "a", "body": ""})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no header"),
        ("\n\n", "has no header"),
        ("\ufeff", "has no header"),
        (";;\n", "has no header"),
        ("sep=;", "has no header"),
        ("sep=;\n\n", "has no header"),
        ("sep=;\ntitle;text\n", "Line 2: There is no column 'text'"),
        ("title;;body\na;;b\n", "Line 1: Column 2 has no name; use one of title, body, or remove"),
        ("title;body;\na;b;c\n", "Line 2: It has 3 fields, but the first line names 2 columns."),
        ("title;body;\na;b;;c;\n", "Line 2: It has 4 fields, but the first line names 2 columns."),
        ("title,text\na,b\n", "Line 1: There is no column 'text'; use some of title, body."),
        ("body\na\n", "Line 1: The column 'title' is missing"),
        ("title,title\na,b\n", "Line 1: Two columns have the same name."),
        ('title,body\na,b\n"c,d\n' + "e,f\n" * 100_000, "Line 3: A field does not end within"),
        ('title,body\na,b\n"c,d\n', "Line 3: A field does not end within"),
        ("title,body\na,b\na,b,c\n", "Line 3: It has 3 fields, but the first line names 2"),
        ('title,body\na,"b', "Line 2: A field does not end within"),
        ('title,body\na,"b"c\n', "Line 2: It is not CSV"),
        ("title,body\na," + "x" * 200_001, "Line 2: A field does not end within 200,000 char"),
        ("title,body\na," + "x" * 400_000, "Line 2: A field does not end within 200,000 char"),
        ('title,body\na,b\nc,"\n' + "x" * 200_001 + '"\n', "Line 3: A field does not end"),
        ("Käse".encode("cp1252"), "not in UTF-8. Save it as “CSV UTF-8”"),
        ("title\nKäse\n".encode("cp1252"), "not in UTF-8"),
        (b"\xff\xfe\x00", "not in UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00\xff", "not in UTF-8"),
        ("title," * 5000, "Line 1: Two columns have the same name."),
    ],
)
def test_what_cannot_be_read_has_a_remedy(content: bytes | str, message: str) -> None:
    with pytest.raises(CSVError) as error:
        rows(content, required=["title"])

    assert message in str(error.value)


def test_rows_before_an_error_are_read() -> None:
    """Kind: a file of which nothing is known because of its last line."""
    table = read(io.BytesIO(b"title\n1\n2\n3,4\n"), COLUMNS)

    assert [next(table)[1]["title"] for _ in range(2)] == ["1", "2"]
    with pytest.raises(CSVError):
        next(table)


SIGNS = "=+-@＝＋－＠"  # noqa: RUF001 - spreadsheets run these, too
DANGEROUS = st.text(st.sampled_from([*SIGNS, *"'\",;\t\r\na "]), max_size=12)


@pytest.mark.parametrize("start", [*SIGNS, "\t", "\r", "\n", "'=", "''@", "'" * 100 + "="])
def test_no_field_is_a_formula(start: str) -> None:
    *_, line = write(["title"], [[f"{start}1+1"]])

    assert line.startswith("\"'")
    written = "".join(write(["title"], [[f"{start}1+1"]]))
    assert [row["title"] for _, row in rows(written)] == [f"{start}1+1"]


@given(st.lists(st.lists(DANGEROUS, min_size=1, max_size=3), max_size=3))
@example([["a", "b;=1+1;c"]])  # the quotes are around other cells then
@example([["a", 'b;"=1+1'], ["a", "b\n=1+1"]])
def test_no_cell_is_a_formula_whatever_the_spreadsheet_takes_for_a_separator(
    values: list[list[str]],
) -> None:
    """Kind: text that is harmless only for a reader that splits the file as we do."""
    written = "".join(write(COLUMNS, values))

    for delimiter in ",;\t":
        for cells in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter):
            assert not [cell for cell in cells if cell.lstrip("\t\r\n").startswith(tuple(SIGNS))]


@pytest.mark.parametrize("text", ["'tis", "a=b", "1-2", "", "'", "a; b\n\nc - d\r\n"])
def test_other_text_stays_as_it_is(text: str) -> None:
    *_, line = write(["title", "body"], [[text, "x"]])

    assert line == f'"{text}","x"\r\n'


@given(st.lists(st.tuples(st.text(TEXT) | DANGEROUS, st.text(TEXT) | DANGEROUS), max_size=5))
def test_what_was_written_is_read_as_it_was(values: list[tuple[str, str]]) -> None:
    written = "".join(write(COLUMNS, values))

    expected = [dict(zip(COLUMNS, value, strict=True)) for value in values if any(value)]
    assert [row for _, row in rows(written)] == expected


@pytest.mark.parametrize("text", ["\n-", "'=", ";=", "\n'=", "\r\n"])
def test_longest_field_that_is_read_can_be_written_and_read(text: str) -> None:
    """Kind: a file that is refused for what was added to keep it harmless."""
    longest = (text * FIELD)[: FIELD - 1]
    for value in (longest, f"={longest}"):
        written = "".join(write(COLUMNS, [["a", value]]))

        assert rows(written) == [(rows(written)[0][0], {"title": "a", "body": value})]


def test_large_file_is_read_in_parts() -> None:
    """Kind: an import that needs as much memory as its file."""

    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            del offset, whence
            self.taken = 0
            return 0

        def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
            data = b"title\n" if not self.taken else b"a joint\n" * (len(buffer) // 8)
            buffer[: len(data)] = data
            self.taken += len(data)
            return len(data)

    source = Endless()
    table = read(io.BufferedReader(source), COLUMNS)
    for _ in range(1000):
        next(table)

    assert source.taken < 1_000_000


def test_reading_takes_time_in_proportion_to_the_length() -> None:
    line = "a," + "'" * 1000 + "=1\n"
    spent = []
    for count in (100, 1000):
        start = time.perf_counter()
        assert len(rows("title,body\n" + line * count)) == count
        spent.append(time.perf_counter() - start)

    assert spent[1] < 100 * spent[0]
