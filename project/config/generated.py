"""Secrets of development: made once for each checkout, and kept where git ignores them."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def secret(path: Path) -> str:
    """Return the secret in a file, which is made if it is missing.

    Where no file can be written, the secret lasts as long as the process.
    """
    new = secrets.token_urlsafe(50)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(new, encoding="utf-8")
            with suppress(FileExistsError):  # of a process that was faster: `replace` would win
                path.hardlink_to(draft)
        return path.read_text(encoding="utf-8")
    except OSError:
        return new
    finally:
        with suppress(OSError):
            draft.unlink()
