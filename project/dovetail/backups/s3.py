"""A client of S3 that waits for longer than that of the site, whose pages wait for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from dovetail.backups.streams import Reader
from dovetail.media.s3 import S3Error, S3Storage, as_os_error, is_missing


class PatientStorage(S3Storage):
    connect_timeout, read_timeout = 10, 60  # seconds
    attempts = 5

    def put(self, key: str, content: IO[bytes]) -> None:
        """Store a file. Large ones are sent in parts, and appear when all parts have arrived."""
        with as_os_error("store", key):
            self.client.upload_fileobj(content, self.bucket_name, key, Config=self.transfer_config)

    @contextmanager
    def body(self, key: str) -> Iterator[Reader]:
        """Open a file.

        Raises:
            FileNotFoundError: there is none.
        """
        try:
            with as_os_error("read", key):
                body = self.client.get_object(Bucket=self.bucket_name, Key=key)["Body"]
        except S3Error as error:
            if is_missing(error):
                raise FileNotFoundError(2, "There is no such file", key) from error
            raise
        with body:
            yield _Body(body, key)

    def remove(self, key: str) -> None:
        with as_os_error("delete", key):
            self.client.delete_object(Bucket=self.bucket_name, Key=key)

    def folders(self, prefix: str) -> list[str]:
        pages = self._pages(prefix, "/")
        return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]

    def keys(self, prefix: str) -> list[str]:
        pages = self._pages(prefix, "")
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def _pages(self, prefix: str, delimiter: str) -> list[Any]:
        with as_os_error("list", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=prefix, Delimiter=delimiter
            )
            return list(pages)


class _Body:
    def __init__(self, body: Any, key: str) -> None:
        self._body, self._key = body, key

    def read(self, size: int = -1, /) -> bytes:
        with as_os_error("read", self._key):
            data: bytes = self._body.read(None if size < 0 else size)
            return data
