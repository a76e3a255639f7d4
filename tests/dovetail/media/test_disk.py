import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File

from dovetail.media.disk import DiskStorage


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path, "/media/")


def files(storage: DiskStorage) -> list[str]:
    return sorted(path.name for path in Path(storage.location).rglob("*") if path.is_file())


class Broken(ContentFile[bytes]):
    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        del chunk_size
        yield b"the beginning"
        raise OSError(28, "No space left on device")


def test_file_that_cannot_be_stored_leaves_nothing(storage: DiskStorage) -> None:
    with pytest.raises(OSError, match="No space"):
        storage.save("avatars/a.webp", Broken(b"x"))

    assert files(storage) == []


def test_file_is_replaced_whole_or_not_at_all(storage: DiskStorage) -> None:
    storage.save("a.txt", ContentFile(b"former"))

    with pytest.raises(OSError, match="No space"):
        storage.replace("a.txt", Broken(b"x"))

    assert Path(storage.path("a.txt")).read_bytes() == b"former"
    storage.replace("a.txt", ContentFile(b"newer"))
    assert Path(storage.path("a.txt")).read_bytes() == b"newer"
    assert files(storage) == ["a.txt"]


def test_name_in_use_is_not_overwritten(storage: DiskStorage) -> None:
    """Also if two are saved at once, after both have found the name free."""
    gate = threading.Barrier(2)

    class Slow(ContentFile[bytes]):
        def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
            gate.wait(20)
            return super().chunks(chunk_size)

    with ThreadPoolExecutor() as pool:
        names = list(pool.map(lambda text: storage.save("a.txt", Slow(text)), (b"one", b"two")))

    contents = []
    for name in names:
        with storage.open(name) as file:
            contents.append(file.read())
    assert len(set(names)) == 2
    assert contents == [b"one", b"two"]
    assert len(files(storage)) == 2


def test_file_that_lies_on_the_disk_is_moved(storage: DiskStorage, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    uploaded = tmp_path / "uploaded"
    uploaded.write_bytes(b"large")
    with uploaded.open("rb") as opened:
        name = storage.save("deep/er/large.bin", File(opened))

    with storage.open(name) as file:
        assert file.read() == b"large"
