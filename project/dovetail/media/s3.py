"""Stores uploads in a bucket of S3, or of another server that speaks its protocol.

    STORAGES = {"default": {"BACKEND": "dovetail.media.s3.S3Storage", "OPTIONS": {
        "bucket_name": "uploads", "region_name": "eu-central-1", "querystring_expire": 3600}}}

The storage of django-storages, with four changes:

- Links are the same for half of their lifetime, in all processes, so that browsers keep the
  pictures and pages stay the same. boto3 signs for the current second, and each time again.
- A process has one client, which is safe in threads. django-storages makes one for each thread, and
  under ASGI each request has a thread of its own.
- Waiting has an end, and what goes wrong is an `OSError`, as with files on a disk.
- Signatures are of version 4, also where boto3's default is version 2: those of forms.

Objects are private: nothing here makes one public, and a link is signed unless `custom_domain`
names a CDN that may read the bucket. `storage.client` is boto3's, with the same settings.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from django.core.files.base import File
from django.utils.deconstruct import deconstructible
from s3transfer.exceptions import RetriesExceededError as S3TransferError
from storages.backends.s3 import S3File, S3Storage as BaseStorage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from dovetail.media.serving import DOWNLOAD, PICTURES

CONNECT_TIMEOUT, READ_TIMEOUT = 2, 5  # seconds
ATTEMPTS = 2
IN_MEMORY = 8 * 1024 * 1024  # bytes of a file that is read; more goes to the disk
MAX_AGE = 3600  # seconds that browsers keep a file, as those of dovetail.media.serving


class S3Error(OSError):
    """S3 is unavailable, too slow, or refused a request."""


@contextmanager
def as_os_error(what: str, name: str) -> Iterator[None]:
    """Turn the errors of boto3 into an `S3Error`, whose text is for the log."""
    try:
        yield
    except (
        *(Boto3Error, BotoCoreError, ClientError),
        *(S3TransferError, HTTPError),  # of a body that breaks off
    ) as error:
        raise S3Error(f"S3 could not {what} {name}: {error}") from error


class _File(S3File):  # type: ignore[misc]
    def _get_file(self) -> Any:
        with as_os_error("read", self.name):
            return super()._get_file()

    file = property(_get_file, S3File._set_file)  # noqa: SLF001 - as there


@deconstructible
class S3Storage(BaseStorage):  # type: ignore[misc]
    # Of what uses it in other places than pages, a subclass may wait for longer.
    connect_timeout, read_timeout = CONNECT_TIMEOUT, READ_TIMEOUT
    attempts = ATTEMPTS

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.RLock()
        self._connection: Any = None
        self._credentials: Any = None

    def get_default_settings(self) -> dict[str, Any]:
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {
            "file_overwrite": False,
            "default_acl": None,
            "max_memory_size": IN_MEMORY,
            "transfer_config": TransferConfig(
                use_threads=False, num_download_attempts=self.attempts
            ),
        }

    @cached_property
    def client(self) -> Any:
        """boto3's client, which is safe in threads."""
        return self.connection.meta.client

    @property
    def connection(self) -> Any:
        with self._lock:
            if self._connection is None:
                session = self._create_session()
                self._credentials = session.get_credentials()
                self._connection = session.resource(
                    "s3",
                    region_name=self.region_name,
                    endpoint_url=self.endpoint_url,
                    verify=self.verify,
                    config=Config(
                        signature_version="s3v4",
                        s3={"addressing_style": self.addressing_style},
                        connect_timeout=self.connect_timeout,
                        read_timeout=self.read_timeout,
                        retries={"total_max_attempts": self.attempts, "mode": "standard"},
                        # Other servers than Amazon's do not know the checksums of 2025.
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required",
                    ),
                )
            return self._connection

    @property
    def origin(self) -> str:
        """The origin that forms are sent to, and that links lead to without a CDN."""
        url = urlsplit(self._base)
        return f"{url.scheme}://{url.netloc}"

    def url(
        self,
        name: str,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return a link to a file, without asking S3.

        It lasts for at least half of `querystring_expire`, or exactly as long as `expire` says.

        Raises:
            NoCredentialsError: there is no key to sign it with.
        """
        if self.custom_domain or parameters or expire is not None or http_method:
            return cast("str", super().url(name, parameters, expire, http_method))
        url = self._base + quote(self._normalize_name(clean_name(name)), safe="/~")
        return _signed(url, self._key(), self._region, self._signed_at(), self.querystring_expire)

    def links_version(self) -> str:
        """Return a text that is another one whenever links are others than before."""
        return "" if self.custom_domain else f"{self._signed_at()} {self._key().access_key}"

    def _signed_at(self) -> int:
        """Return the start of the current half of a lifetime, in seconds."""
        period: int = max(self.querystring_expire // 2, 1)
        return int(time.time()) // period * period

    def has_key(self) -> bool:
        """Return whether there is a key, in the settings or from the machine's role."""
        return bool(self.connection) and self._credentials is not None

    def _key(self) -> ReadOnlyCredentials:
        if not self.has_key():
            raise NoCredentialsError
        return self._credentials.get_frozen_credentials()

    @cached_property
    def _example(self) -> str:
        """A link by boto3, which knows where the bucket is."""
        parameters = {"Bucket": self.bucket_name, "Key": "x"}
        return cast("str", self.client.generate_presigned_url("get_object", Params=parameters))

    @cached_property
    def _base(self) -> str:
        return self._example.partition("?")[0][:-1]

    @cached_property
    def _region(self) -> str:
        scope = parse_qs(urlsplit(self._example).query)["X-Amz-Credential"][0]
        return scope.split("/")[-3]

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """Return the headers that S3 stores with a file; only pictures are shown."""
        kind = PICTURES.get(PurePosixPath(name).suffix.lower(), DOWNLOAD)
        # Behind a CDN, which everyone may ask, its cache may keep them as well.
        audience = "public" if self.custom_domain else "private"
        headers = {
            "CacheControl": f"{audience}, max-age={MAX_AGE}",
            "ContentType": kind,
            "ContentDisposition": "attachment" if kind == DOWNLOAD else "inline",
        }
        return headers | cast("dict[str, Any]", super().get_object_parameters(name))

    def form(self, name: str, *, size: int, content_type: str, lifetime: int) -> dict[str, Any]:
        """Return where and with which fields a browser may send this file, and no other.

        Args:
            name: the name that it will have.
            size: the exact size in bytes.
            content_type: what it will be served as.
            lifetime: seconds in which it may begin.

        Raises:
            OSError: there is no key, as while the service that gives a machine its role is away.
        """
        fields = {"Content-Type": content_type, "success_action_status": "201"}
        with as_os_error("sign a form for", name):
            self._key()  # without one, boto3 would not say what is wrong
            answer: dict[str, Any] = self.client.generate_presigned_post(
                self.bucket_name,
                self._normalize_name(clean_name(name)),
                Fields=fields,
                Conditions=[
                    *({field: value} for field, value in fields.items()),
                    ["content-length-range", size, size],
                ],
                ExpiresIn=lifetime,
            )
        return answer

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        key = self._normalize_name(clean_name(name))
        try:
            with as_os_error("open", name):
                return _File(key, mode, self)
        except S3Error as error:
            if is_missing(error):
                raise FileNotFoundError(f"File does not exist: {name}") from error
            raise

    def _save(self, name: str, content: Any) -> str:
        with as_os_error("store", name):
            return cast("str", super()._save(name, content))

    def replace(self, name: str, content: Any) -> None:
        """Store a file under this name, in place of the one that has it, which stays until then."""
        self._save(name, content)

    def delete(self, name: str) -> None:
        with as_os_error("delete", name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with as_os_error("look for", name):
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with as_os_error("look for", name):
            return int(super().size(name))

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with as_os_error("list", name):
            return cast("tuple[list[str], list[str]]", super().listdir(name))

    def get_modified_time(self, name: str) -> Any:
        with as_os_error("look for", name):
            return super().get_modified_time(name)


def is_missing(error: S3Error) -> bool:
    """Return whether there is no such file."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and (
        cause.response["ResponseMetadata"]["HTTPStatusCode"] == 404  # noqa: PLR2004
    )


class _Signer(S3SigV4QueryAuth):  # type: ignore[misc]
    """Signs a link for a time of our choice; the rest is botocore's."""

    def sign(self, request: AWSRequest, signed_at: int) -> str:
        request.context["timestamp"] = time.strftime(SIGV4_TIMESTAMP, time.gmtime(signed_at))
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))
        return cast("str", request.url)


@lru_cache(maxsize=4096)
def _signed(url: str, key: ReadOnlyCredentials, region: str, signed_at: int, lifetime: int) -> str:
    request = AWSRequest(method="GET", url=url)
    return _Signer(key, "s3", region, expires=lifetime).sign(request, signed_at)
