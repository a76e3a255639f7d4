"""Runs npm in the front end's folder, on the Node that `up` uses. `bin/npm` starts it.

It is no management command, so that the front end can be checked while Django does not start.
"""

import os
import sys
from pathlib import Path

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.frontend import find_node
from dovetail.devtools.supervisor.guard import Guard


def main(data_dir: str, folder: str, *arguments: str) -> None:
    """Become npm.

    Args:
        data_dir: the folder of local state, to which Node is downloaded if it is needed.
        folder: the front end's folder.
        arguments: those of npm.
    """
    guard = Guard()
    try:
        node = find_node(Path(data_dir).resolve() / "embedded", guard)
        os.chdir(folder)
    except SetupError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # no space, no permission
        sys.exit(f"error: {error.filename or 'The system'}: {error.strerror}.")
    finally:
        guard.close()
    # npm and the programs it starts look for `node` there.
    os.environ["PATH"] = f"{node.directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    npm = str(node.directory / "npm")
    os.execv(npm, [npm, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
