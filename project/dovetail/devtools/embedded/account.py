"""The user that PostgreSQL runs as, and a folder that this user reaches.

PostgreSQL refuses to run as root. In a container everything is root, so there it gets an ordinary
user; nothing but its own folder changes owner.
"""

import hashlib
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.guard import Switch

SHARED = Path("/var/tmp")  # noqa: S108 - the folder made in it is checked to be root's own


@dataclass(frozen=True)
class Account:
    """Another user to run as; none (`None` in its place) means: as the user who started this."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> Switch:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, directory: Path) -> bool:
        """Tell whether this user may enter a folder, which need not exist yet."""
        while not directory.exists():
            directory = directory.parent
        probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)]
        done = subprocess.run(probe, check=False, capture_output=True, cwd="/", **self.switch)  # noqa: S603
        return done.returncode == 0

    def takes(self, path: Path) -> None:
        """Make a file or an empty folder belong to this user."""
        os.chown(path, self.uid, self.gid)


def server_account(cluster: Path) -> Account | None:
    """Choose whom a cluster's server runs as.

    Args:
        cluster: its folder; the owner of one that exists stays.

    Raises:
        SetupError: the cluster belongs to somebody whom this process cannot become.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner not in {None, me}:
            raise SetupError(
                f"{cluster} belongs to another user ({_name(owner)}): start as that user, or set "
                "DATA_DIR to a folder of your own."
            )
        return None
    if owner:
        return Account(_name(owner), owner, cluster.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise SetupError(
        "PostgreSQL does not run as root and this system has no user postgres or nobody: start as "
        "an ordinary user, or set DATABASE_URL to a server that runs."
    )


def reachable(data_dir: Path, name: str, account: Account | None) -> Path:
    """Return `data_dir / name`, or a folder in its place that the server's user can enter.

    Root's checkout may lie where that user may not look (as in /root). Opening that up is not ours
    to do; a folder in /var/tmp, always the same one for the same `data_dir`, stands in.

    Args:
        data_dir: the checkout's state.
        name: of a folder in it.
        account: whom the server runs as.

    Raises:
        SetupError: somebody else has taken the name of the folder that stands in.
    """
    wanted = (data_dir / name).resolve()
    if account is None or account.reaches(wanted):
        return wanted
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    home = SHARED / f"dovetail-{digest}"
    home.mkdir(mode=0o711, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise SetupError(f"{home} is not root's own folder: remove it and start again.")
    return home / name


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid if uid is not None else -1).pw_name
    except KeyError:
        return f"user id {uid}"
