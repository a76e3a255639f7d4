"""Names that a place cannot store as they are."""

from io import BytesIO

import pytest

from dovetail.backups import places
from dovetail.backups.errors import BackupError

NAME = "20261129T024500Z-4f9d"


def test_name_as_long_as_can_be(place: places.Folder) -> None:
    path = f"{NAME}/uploads/{'a' * 251}.age"

    place.put(path, BytesIO(b"x"))

    with place.open(path) as file:
        assert file.read() == b"x"
    assert len(list((place.path / NAME / "uploads").iterdir())) == 1


def test_name_that_a_bucket_cannot_have() -> None:
    bucket = places.Bucket(bucket_name="none")

    with pytest.raises(BackupError, match=r"^S3 cannot store '.*a\\udcff', whose name is"):
        bucket.put(f"{NAME}/uploads/a\udcff", BytesIO(b"x"))
