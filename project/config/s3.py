"""The settings of buckets, for uploads and for backups, and what is wrong with them."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.url_parts import MAX_PORT, is_host, with_host

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# As botocore checks it, when it is first used.
REGION = re.compile(r"(?![0-9]+$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
DOMAIN = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::([0-9]{1,5}))?")
PREFIX = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
LONGEST = 7 * 24 * 3600  # seconds that a signature of version 4 can last


@dataclass(frozen=True)
class Bucket:
    """A bucket, named as in the settings that start with S3_.

    Attributes:
        setting: what the names of its settings start with; the others are their values.
    """

    name: str
    endpoint_url: str
    region: str
    key: str
    secret: str = field(repr=False)
    addressing_style: str
    custom_domain: str = ""
    lifetime: int = 3600
    setting: str = "S3_"

    def check(self) -> None:
        """Refuse settings with which no file could be stored or shown.

        Raises:
            ImproperlyConfigured: it names the setting and the remedy.
        """
        if not BUCKET.fullmatch(self.name):
            raise ImproperlyConfigured(
                f"{self.setting}BUCKET must be the name of a bucket: 3 to 63 lowercase letters, "
                "digits, dots and hyphens, without s3:// or a path."
            )
        self._check_server()
        if bool(self.key) != bool(self.secret):
            raise ImproperlyConfigured(
                f"{self.setting}ACCESS_KEY_ID and {self.setting}SECRET_ACCESS_KEY belong "
                "together: set both, or none to use the role of the machine."
            )
        if self.addressing_style not in {"", "path", "virtual"}:
            raise ImproperlyConfigured(
                f"{self.setting}ADDRESSING_STYLE must be path, for https://host/bucket, or "
                "virtual, for https://bucket.host."
            )
        if (
            "." in self.name
            and self.style == "virtual"
            and not self.endpoint_url.startswith("http:")
        ):
            raise ImproperlyConfigured(
                f"{self.setting}BUCKET has a dot, so that no certificate fits "
                f"https://bucket.host: set {self.setting}ADDRESSING_STYLE=path, or use a bucket "
                "without a dot."
            )
        if self.custom_domain and not _is_domain(self.custom_domain):
            raise ImproperlyConfigured(
                f"{self.setting}CUSTOM_DOMAIN must be the name of a host in lowercase, such as "
                "files.site.example, without https:// or a path."
            )
        if self.lifetime > LONGEST:
            raise ImproperlyConfigured(
                f"{self.setting}URL_LIFETIME must be at most {LONGEST}, which is a week: no "
                "signature lasts longer."
            )

    def _check_server(self) -> None:
        if not self.region and not self.endpoint_url:
            raise ImproperlyConfigured(
                f"{self.setting}REGION must be set to the region of the bucket, such as "
                f"eu-central-1, or {self.setting}ENDPOINT_URL to the server that has it."
            )
        is_region = REGION.fullmatch(self.region) and (self.endpoint_url or self.region.islower())
        if self.region and not is_region:
            raise ImproperlyConfigured(
                f"{self.setting}REGION must be the name of a region, of lowercase letters, digits "
                "and hyphens, such as eu-central-1."
            )
        if not self.endpoint_url:
            return
        url = with_host(f"{self.setting}ENDPOINT_URL", self.endpoint_url, "http", "https")
        if url.tail.strip("/") or url.has_credentials:
            raise ImproperlyConfigured(
                f"{self.setting}ENDPOINT_URL must have no path, user or password: "
                f"{self.setting}BUCKET names the bucket, {self.setting}ACCESS_KEY_ID and "
                f"{self.setting}SECRET_ACCESS_KEY the key."
            )
        if not is_host(url.host):
            raise ImproperlyConfigured(
                f"{self.setting}ENDPOINT_URL must have a host of letters, digits, - and . only, "
                "because the client for S3 takes no other: give a container with an _ in its "
                "name another one, and write an international name as in "
                "https://xn--bcher-kva.example."
            )

    @property
    def endpoint(self) -> str:
        """The URL of the server. Named in any case: boto3 would leave out some regions."""
        return self.endpoint_url.rstrip("/") or f"https://s3.{self.region}.amazonaws.com"

    @property
    def style(self) -> str:
        """How the bucket is named in addresses. Amazon's needs names of hosts, others may not."""
        return self.addressing_style or ("path" if self.endpoint_url else "virtual")

    @property
    def origin(self) -> str:
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.name}.{host}" if self.style == "virtual" else self.endpoint

    def options(self) -> dict[str, Any]:
        """Return the options of `dovetail.media.s3.S3Storage`."""
        return {
            "bucket_name": self.name,
            "endpoint_url": self.endpoint,
            "region_name": self.region or "us-east-1",  # which other servers accept
            "access_key": self.key or None,
            "secret_key": self.secret or None,
            "addressing_style": self.style,
            "custom_domain": self.custom_domain or None,
            "querystring_expire": self.lifetime,
        }


def _is_domain(text: str) -> bool:
    """Return whether a text is the name of a host in lowercase, maybe with a port."""
    match = DOMAIN.fullmatch(text)
    return bool(match and is_host(match[1]) and (not match[2] or 0 < int(match[2]) <= MAX_PORT))


def prefix(name: str, text: str) -> str:
    """Return the start of keys in a bucket, with one slash after it; "" stays.

    Raises:
        ImproperlyConfigured: it has other characters than those that every server takes.
    """
    text = text.strip("/")
    if text and not PREFIX.fullmatch(text):
        raise ImproperlyConfigured(
            f"{name} must consist of letters, digits, ., - and _, with / in between."
        )
    return text and f"{text}/"
