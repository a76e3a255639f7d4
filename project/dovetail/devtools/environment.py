"""The environment of the processes that `up` starts, whatever it was given itself."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

# Options that a shell may hold for another project: of the web server, such as
# GRANIAN_SSL_CERTIFICATE, and of Celery, whose worker prefers them to the settings.
FOREIGN = re.compile(
    r"GRANIAN_.*|CELERY_(?!BROKER_URL(_FILE)?$).*|BROKER_URL|RESULT_BACKEND|LOADER|CONFIG_MODULE"
)


def open_standard_streams() -> None:
    """Open those of the file descriptors 0 to 2 that this process was started without.

    Otherwise the next file that is opened takes their place, and what a program prints goes there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(number, True)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def ensure_utf8() -> None:
    """Start this program again in Python's UTF-8 mode if the locale uses another encoding.

    Paths that the locale cannot express break Celery and the watcher of code.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell


def environment_of_python(inherited: Mapping[str, str], project: Path) -> dict[str, str]:
    """Return an environment in which Python finds the project's modules and any file.

    `python -m` looks in the working directory, but not with PYTHONSAFEPATH.
    """
    kept = {name: value for name, value in inherited.items() if not FOREIGN.fullmatch(name)}
    paths = [str(project), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",  # Celery cannot start with a path that the locale cannot express
    }


def with_writable_cache(
    environment: Mapping[str, str], name: str, usual: str, instead: Path
) -> dict[str, str]:
    """Return an environment that names a cache folder if the usual one cannot be written.

    Args:
        environment: the environment of the program.
        name: the variable that names its cache folder; if it is set, it stays.
        usual: the cache folder, relative to HOME.
        instead: the folder to use in its place.
    """
    if any(known.lower() == name.lower() for known in environment):
        return dict(environment)
    home = Path(environment.get("HOME") or "/dev/null")
    folder = home / usual
    # Not `Path.exists`, which raises an error below a HOME that this user may not enter.
    while not os.path.exists(folder) and folder != home:  # noqa: PTH110
        folder = folder.parent
    if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):  # noqa: PTH112
        return dict(environment)
    return {**environment, name: str(instead)}
