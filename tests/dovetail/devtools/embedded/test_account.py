"""Whom the server runs as. As root there is more to see than as anybody else."""

import os
import shutil
from pathlib import Path

import pytest

from dovetail.devtools.embedded import account as accounts
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.errors import SetupError

IS_ROOT = os.geteuid() == 0


def test_nobody_runs_a_server_as_root(tmp_path: Path) -> None:
    account = server_account(tmp_path / "postgres")
    if IS_ROOT:
        assert account
        assert account.uid != 0
    else:
        assert account is None


def test_a_cluster_keeps_its_owner(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    if IS_ROOT:
        os.chown(cluster, 12345, 12345)
        account = server_account(cluster)
        assert account
        assert (account.uid, account.gid) == (12345, 12345)
    else:
        assert server_account(cluster) is None


def test_somebody_elses_cluster_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(SetupError, match=rf"{cluster} belongs to another user .*DATA_DIR"):
        server_account(cluster)


def test_a_closed_folder_is_replaced_and_nothing_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    account = server_account(tmp_path / "postgres")
    if account is None:
        assert reachable(tmp_path, "postgres", None) == tmp_path / "postgres"
        return
    shared = accounts.SHARED / f"dovetail-test-{os.getpid()}"
    shared.mkdir(mode=0o755)
    monkeypatch.setattr(accounts, "SHARED", shared)
    try:
        home = reachable(tmp_path, "postgres", account)
        assert home.parent.parent == shared
        assert home == reachable(tmp_path, "postgres", account)
        assert account.reaches(home)
        assert tmp_path.stat().st_mode & 0o777 == 0o700

        os.chown(home.parent, 12345, 12345)
        with pytest.raises(SetupError, match="is not root's own folder"):
            reachable(tmp_path, "postgres", account)
    finally:
        shutil.rmtree(shared)
