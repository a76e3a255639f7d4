"""Checking a backup: what is missing, changed or cut off is found, with and without the key."""

import json
import shutil
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from pytest_django.fixtures import Settings

from dovetail.backups import encryption, manifest, pieces, places, retention
from dovetail.backups.creating import remove_abandoned
from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import Manifest
from dovetail.backups.pieces import Writer
from dovetail.backups.verifying import verify
from tests.dovetail.backups.conftest import run
from tests.dovetail.backups.faults import FAULTS
from tests.dovetail.backups.test_retention import NOW, backup

FILES = ["database/1.dat.gz*", "uploads/covers/*", "uploads.jsonl*", "files.jsonl"]


@dataclass
class Made:
    """A backup, without a database.

    Attributes:
        folder: where it is.
        identity: the file of its key.
        keys: those to verify it with.
    """

    place: places.Folder
    folder: Path
    identity: Path
    keys: list[Any]
    manifest: Manifest

    def verify(self, work: Path) -> int:
        return verify(self.place, self.manifest, self.keys, work)


@pytest.fixture(params=["plain", "encrypted", "encrypted, with the key"])
def made(request: pytest.FixtureRequest, place: places.Folder, tmp_path: Path) -> Made:
    identity = tmp_path / "identity"
    private, public = encryption.new_identity()
    encryption.write_identity(identity, private, public)
    recipients = encryption.recipients([public] if "encrypted" in request.param else [])
    keys = encryption.identities(identity) if "key" in request.param else []
    name = backup(NOW).name
    with Writer(place, name, recipients, tmp_path) as writer:
        writer.put("database/1.dat.gz", BytesIO(b"rows" * 50_000))
        upload = writer.put("uploads/covers/one.png", BytesIO(b"a picture"))
        secret = writer.put("uploads/files/letter.age", BytesIO(b"encrypted by someone"))
        writer.put(manifest.UPLOADS, BytesIO(upload.line() + secret.line()))
        values = vars(backup(NOW)) | {"files": writer.finish(), "encrypted": bool(recipients)}
        whole = Manifest(**values)
    pieces.put_manifest(place, whole)
    return Made(place, place.path / name, identity, keys, whole)


def test_whole_backup_is_in_order(made: Made, tmp_path: Path) -> None:
    assert made.verify(tmp_path) == 4


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("file", FILES)
def test_fault_in_a_file_is_found(made: Made, tmp_path: Path, file: str, fault: str) -> None:
    (path,) = made.folder.glob(file)
    FAULTS[fault](path)

    with pytest.raises(BackupError, match=r"[Rr]estore another") as error:
        made.verify(tmp_path)

    assert path.name in str(error.value)
    assert str(error.value).endswith((".", "one."))


@pytest.mark.parametrize("made", ["encrypted, with the key"], indirect=True)
def test_wrong_key_is_told_from_a_damaged_file(made: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    encryption.write_identity(other, *encryption.new_identity())

    with pytest.raises(CommandError, match=r"^The key does not fit: "):
        run("backup", verify=made.folder.name, identity=other)


@pytest.mark.parametrize("made", ["encrypted"], indirect=True)
def test_command_says_what_it_could_not_check(made: Made) -> None:
    assert "They can be decrypted." in run("backup", verify="", identity=made.identity)
    assert "Not decrypted: give --identity." in run("backup", verify="")


@pytest.mark.parametrize("made", ["encrypted"], indirect=True)
def test_key_is_needed_to_restore(made: Made) -> None:
    with pytest.raises(CommandError, match=r"is encrypted: give the file of the private key"):
        run("restore", made.folder.name)


@pytest.mark.parametrize("made", ["plain"], indirect=True)
class TestManifest:
    def test_without_it_there_is_no_backup(self, made: Made) -> None:
        (made.folder / "manifest.json").unlink()

        with pytest.raises(CommandError, match=r"is incomplete: it has no manifest"):
            run("restore", made.folder.name)
        with pytest.raises(CommandError, match=r"^There is no complete backup in "):
            run("restore")

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x"}', '{"format": 1}', "0"])
    def test_damaged_one_is_a_sentence(self, made: Made, text: str) -> None:
        (made.folder / "manifest.json").write_text(text)

        for arguments in ([made.folder.name], []):
            with pytest.raises(CommandError, match=r"^The manifest of .* is damaged: restore anot"):
                run("restore", *arguments)
        assert "its manifest is damaged" in run("backup", list=True)
        remove_abandoned(made.place)
        assert made.folder.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("server", "17"),
            ("uploads", True),
            ("encrypted", 1),
            ("made_at", "yesterday"),
            ("made_at", "2026-11-29T02:15:00"),
            ("rows", []),
            ("rows", {"public.x": "1"}),
            ("migrations", "articles.0001_initial"),
            ("search_indexes", [["public"]]),
            ("extensions", {"pg_search": None}),
            ("files", {}),
            ("files", {"size": "1", "sha256": ""}),
        ],
    )
    def test_value_of_another_kind_is_a_sentence(self, made: Made, field: str, value: Any) -> None:
        text = json.dumps(vars(made.manifest) | {field: value})
        (made.folder / "manifest.json").write_text(text)

        with pytest.raises(CommandError, match=r"^The manifest of .* is damaged: restore another"):
            run("backup", verify="")
        assert "its manifest is damaged" in run("backup", list=True)

    @pytest.mark.parametrize("name", ["", ".", "20200101T000000Z-0000"])
    def test_that_of_another_backup_is_refused(
        self, made: Made, settings: Settings, name: str
    ) -> None:
        """Kind: --verify reads another backup than the one it names, and pruning deletes it."""
        settings.SITE_URL = made.manifest.site
        settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}
        values = vars(made.manifest) | {"name": name, "made_at": "2020-01-01T00:00:00+00:00"}
        copied = made.folder.with_name("20200202T000000Z-0000")
        shutil.copytree(made.folder, copied)
        (copied / "manifest.json").write_text(json.dumps(values))

        with pytest.raises(
            CommandError, match=rf"^The manifest of {copied.name} belongs to '{name}"
        ):
            run("backup", verify=copied.name)
        assert retention.prune(made.place, "", lambda _: None) == []
        assert made.folder.exists()

    @pytest.mark.parametrize("name", ["", ".", "..", "manual"])
    def test_only_backups_are_deleted(self, made: Made, name: str) -> None:
        with pytest.raises(BackupError, match=r"is no name of a backup: nothing was deleted"):
            made.place.remove(name)
        assert made.folder.exists()

    def test_newer_format_is_refused(self, made: Made) -> None:
        (made.folder / "manifest.json").write_text('{"format": 2}')

        with pytest.raises(CommandError, match=r"has format 2, and this version of the site"):
            run("restore", made.folder.name)

    def test_name_that_leads_elsewhere_is_refused(self, made: Made) -> None:
        with pytest.raises(CommandError, match=r"leads out of the backup"):
            run("backup", verify=f"{made.folder.name}/../../../etc")
        with pytest.raises(CommandError, match=r"leads out of the backup"):
            run("backup", verify=f"{made.folder.name}/../20200101T000000Z-0000")


def test_unknown_name(settings: Settings) -> None:
    del settings
    with pytest.raises(CommandError, match=r"does not exist\. `manage.py backup --list` shows"):
        run("restore", "20200101T000000Z-0000")
