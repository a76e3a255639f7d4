"""The user PostgreSQL runs as, and a folder that user can enter.

PostgreSQL refuses to run as root. When `up` runs as root, as in a container, PostgreSQL runs as an
unprivileged user, and only its own folder changes owner.
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

SHARED = Path("/var/tmp")  # noqa: S108 - the folder created in it is checked to belong to root


@dataclass(frozen=True)
class Account:
    """Another user to run as. `None` in its place means the current user."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> Switch:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """Return whether this user may enter a folder, which need not exist yet."""
        while not directory.exists():
            directory = directory.parent
        probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)]
        done = subprocess.run(probe, check=False, capture_output=True, cwd="/", **self.switch)  # noqa: S603
        return done.returncode == 0

    def take_ownership(self, path: Path) -> None:
        """Make this user the owner of a file or an empty folder."""
        os.chown(path, self.uid, self.gid)


def server_account(cluster: Path) -> Account | None:
    """Return the user to run a cluster's server as, or `None` for the current user.

    Args:
        cluster: the folder of the cluster; an existing one keeps its owner.

    Raises:
        SetupError: the cluster belongs to a user this process cannot switch to, or there is no
            unprivileged user.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner not in {None, me}:
            raise SetupError(
                f"{cluster} belongs to another user ({_name(owner)}): run this as that user, or "
                "set DATA_DIR to a folder you own."
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
        "PostgreSQL does not run as root, and this system has no user named postgres or nobody: "
        "run this as an unprivileged user, or set DATABASE_URL to a running server."
    )


def ensure_named_user() -> None:
    """Make sure that this user has a name, without which initdb creates no cluster.

    Raises:
        SetupError: it has none, as in a container that was started with just a user id.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise SetupError(
            f"PostgreSQL cannot create a database as {_name(os.geteuid())}, which has no name on "
            "this system: add the id to /etc/passwd, run this as another user, or set "
            "DATABASE_URL to a running server."
        ) from None


def reachable(data_dir: Path, name: str, account: Account | None) -> Path:
    """Return `data_dir / name`, or a replacement folder that the server's user can enter.

    Root's checkout may be in a folder the server's user cannot enter, such as /root. Rather than
    loosen its permissions, use a folder in /var/tmp, always the same one for the same `data_dir`.

    Args:
        data_dir: the checkout's `DATA_DIR`.
        name: the name of a folder in it.
        account: the user the server runs as; `None` for the current user.

    Raises:
        SetupError: the replacement folder exists and does not belong to root.
    """
    wanted = (data_dir / name).resolve()
    if account is None or account.can_enter(wanted):
        return wanted
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    home = SHARED / f"dovetail-{digest}"
    home.mkdir(mode=0o711, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise SetupError(f"{home} is not a folder writable only by root: remove it and try again.")
    return home / name


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid if uid is not None else -1).pw_name
    except KeyError:
        return f"user id {uid}"
