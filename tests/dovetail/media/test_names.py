"""The name of an upload is a stranger's: it decides nothing about the stored file."""

import re

import pytest

from dovetail.media.names import RandomName

HOSTILE = [
    "木" * 86 + ".png",
    "x" * 300 + ".png",
    "🪵.png",
    "🪵",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "a/b\\c.png",
    "a\0b.png",
    "a.p\0ng",
    "\0",
    "",
    ".",
    "..",
    "con.png",
    "x.PNG",
    "x." + "y" * 300,
    "x.ph p",
    "\ud800.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_stored_name_is_ours_whatever_the_upload_is_called(name: str) -> None:
    stored = RandomName("covers")(None, name)

    assert re.fullmatch(r"covers/[0-9a-f]{32}(\.[a-z0-9]{1,8})?", stored)
    assert stored != RandomName("covers")(None, name)


def test_suffix_of_the_format_is_kept() -> None:
    assert RandomName("covers")(None, "image.webp").endswith(".webp")
