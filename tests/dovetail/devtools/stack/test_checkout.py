"""Where a checkout may be: `up` refuses at once what cannot work, and says why.

The kind: "ready" is said of what does not work. Characters were tried with the real Vite and
PostgreSQL; `up` runs in folders with the others (see test_odd_shell.py).
"""

import os
from pathlib import Path

import pytest

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.checkout import LONGEST, ensure_usable


@pytest.mark.parametrize("character", ["#", "?", "\\", ":", "$", '"', "`"])
def test_character_that_breaks_a_part_of_the_stack_is_refused_with_the_reason(
    tmp_path: Path, character: str
) -> None:
    checkout = tmp_path / f"my{character}checkout" / "inside"
    checkout.mkdir(parents=True)
    with pytest.raises(SetupError, match=r"checkout's path .* cannot work \(.*\): move") as error:
        ensure_usable(checkout, tmp_path / "data")
    assert repr(character) in str(error.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "100%",
        "%20",
        "it's",
        "déjà",
        "日本語",
        "a[b]{c}(d)*",
        "a&b;c",
        "@~!",
        "a\nb",
    ],
)
def test_other_names_are_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    ensure_usable(tmp_path / name, tmp_path / name / ".data")
    assert list((tmp_path / name / ".data").iterdir()) == []


def test_link_does_not_hide_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "c#").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "c#")
    with pytest.raises(SetupError, match="'#'"):
        ensure_usable(tmp_path / "link", tmp_path / "data")


def test_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    checkout = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        checkout.mkdir()
    except OSError:  # macOS has only UTF-8 names
        pytest.skip("this file system refuses the name itself")
    with pytest.raises(SetupError, match="is not UTF-8 text") as error:
        ensure_usable(checkout, tmp_path / "data")
    str(error.value).encode()  # can be printed


def test_data_folder_with_too_long_a_path_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 200] * 5)
    with pytest.raises(SetupError, match=rf"DATA_DIR is \d+ bytes long, .* at most {LONGEST}"):
        ensure_usable(tmp_path, deep)


def test_data_folder_that_separates_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"DATA_DIR .*':'.*: set DATA_DIR to a folder without it"):
        ensure_usable(tmp_path, tmp_path / "a:b")


@pytest.mark.parametrize("data_dir", ["/proc/state", "/dev/null/state"])
def test_read_only_folder_is_refused_with_the_way_out(tmp_path: Path, data_dir: str) -> None:
    """A checkout on a read-only file system works with a DATA_DIR elsewhere."""
    with pytest.raises(SetupError, match=rf"{data_dir}, .* cannot be written .*: set DATA_DIR to"):
        ensure_usable(tmp_path, Path(data_dir))
