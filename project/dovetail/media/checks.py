"""System checks for uploads in S3, with `check --deploy`.

| Id | What it reports |
|---|---|
| `dovetail.W111` | there is no key to sign requests and links with |
| `dovetail.W112` | files and the names in links travel unencrypted |
| `dovetail.W113` | pages are cached for longer than the links in them last |
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.files.storage import default_storage
from django.template import engines

from dovetail.cache import pages
from dovetail.templatetags import fragments

BACKEND = "dovetail.media.s3.S3Storage"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
KEPT = re.compile(r"\{%\s{0,9}(?:cache\s{1,9}(\d{1,9})\s|fragment\s[^%]{1,500}?\sttl=(\d{1,9})\s)")


def check_s3(**_: Any) -> list[checks.CheckMessage]:
    if settings.STORAGES["default"]["BACKEND"] != BACKEND:
        return []
    storage: Any = default_storage
    messages: list[checks.CheckMessage] = []
    if not storage.has_key():
        messages.append(
            checks.Warning(
                "There is no key for S3, neither in the settings nor from this machine's role, so "
                "that uploads can be neither stored nor shown.",
                hint="Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or give the machine a role.",
                id="dovetail.W111",
            )
        )
    endpoint = urlsplit(storage.endpoint_url or "")
    if endpoint.scheme == "http" and endpoint.hostname not in LOOPBACK:
        messages.append(
            checks.Warning(
                "Uploads travel to and from S3 unencrypted, and browsers show no such pictures on "
                "pages that are.",
                hint="Let S3_ENDPOINT_URL start with https://.",
                id="dovetail.W112",
            )
        )
    longest = max(pages.TTL, fragments.TTL, *cached_seconds())
    if not storage.custom_domain and storage.querystring_expire // 2 <= longest:
        messages.append(
            checks.Warning(
                f"Templates cache parts of pages for {longest} seconds, but the links to uploads "
                f"in them may last only {storage.querystring_expire // 2}, so that pictures would "
                "be missing.",
                hint=f"Set S3_URL_LIFETIME to more than {2 * longest + 1}.",
                id="dovetail.W113",
            )
        )
    return messages


def cached_seconds() -> Iterator[int]:
    """Yield for how long `{% cache %}` and `{% fragment ttl=… %}` keep what, in all templates."""
    for engine in engines.all():
        for folder in map(Path, getattr(engine, "template_dirs", ())):
            if folder.is_relative_to(settings.BASE_DIR):
                for template in folder.rglob("*.html"):
                    text = template.read_text(encoding="utf-8", errors="replace")
                    yield from (int(match[1] or match[2]) for match in KEPT.finditer(text))
