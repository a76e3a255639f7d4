"""Tests for the user the server runs as. They cover more when they run as root."""

import os
import shutil
from pathlib import Path

import pytest

from dovetail.devtools.embedded import account as accounts
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.errors import SetupError

IS_ROOT = os.geteuid() == 0


def test_server_never_runs_as_root(tmp_path: Path) -> None:
    account = server_account(tmp_path / "postgres")
    if IS_ROOT:
        assert account
        assert account.uid != 0
    else:
        assert account is None


def test_existing_cluster_keeps_its_owner(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    if IS_ROOT:
        os.chown(cluster, 12345, 12345)
        account = server_account(cluster)
        assert account
        assert (account.uid, account.gid) == (12345, 12345)
    else:
        assert server_account(cluster) is None


def test_cluster_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(SetupError, match=rf"{cluster} belongs to another user .*DATA_DIR"):
        server_account(cluster)


def test_unreachable_folder_is_replaced_without_changing_permissions(
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
        assert account.can_enter(home)
        assert tmp_path.stat().st_mode & 0o777 == 0o700

        os.chown(home.parent, 12345, 12345)
        with pytest.raises(SetupError, match="is not a folder writable only by root"):
            reachable(tmp_path, "postgres", account)
    finally:
        shutil.rmtree(shared)
