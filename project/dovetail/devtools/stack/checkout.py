"""The folders that `up` runs in, and why some of them cannot work."""

import os
from pathlib import Path

from dovetail.devtools.errors import SetupError

# Measured with Vite 8 and PostgreSQL 17, with the character in the path. Spaces, apostrophes, `%`,
# brackets, newlines and letters of any script work.
IN_DATA_DIR = {
    ":": "it separates the folders in PATH",
    **dict.fromkeys('$"`', "PostgreSQL's initdb gives its path to a shell, which interprets it"),
}
IN_CHECKOUT = {
    "#": "Vite takes what follows for a part of the URL",
    "?": "Vite takes what follows for a part of the URL",
    "\\": "Vite takes it for a separator of folders",
    **IN_DATA_DIR,
}
LONGEST = 900  # bytes; PostgreSQL allows paths of 1023, of which it needs up to 100 itself


def ensure_usable(checkout: Path, data_dir: Path) -> None:
    """Make sure that the stack can run in these folders, and that it may write its state.

    Args:
        checkout: the folder of the repository.
        data_dir: the folder of the local state, which is created if it does not exist.

    Raises:
        SetupError: one of them cannot work.
    """
    _check_path(checkout.resolve(), "The checkout's path", IN_CHECKOUT, "move the checkout")
    _check_path(data_dir.resolve(), "DATA_DIR", IN_DATA_DIR, "set DATA_DIR")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        probe = data_dir / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"{data_dir}, the folder for local state, cannot be written ({error.strerror}): set "
            "DATA_DIR to a folder that you can write, such as one in your home folder."
        ) from error


def _check_path(path: Path, what: str, refused: dict[str, str], remedy: str) -> None:
    shown = repr(str(path))
    for character, reason in refused.items():
        if character in str(path):
            raise SetupError(
                f"{what} {shown} contains {character!r}, which cannot work ({reason}): {remedy} "
                "to a folder without it."
            )
    raw = os.fsencode(path)
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise SetupError(
            f"{what} {shown} is not UTF-8 text, which Node cannot open: {remedy} to a folder with "
            "another name."
        ) from None
    if len(raw) > LONGEST:
        raise SetupError(
            f"{what} is {len(raw)} bytes long, but PostgreSQL needs one of at most {LONGEST}: "
            f"{remedy} to a folder with a shorter path."
        )
