"""Versions of rows: an unchanged one is not sent again, a changed one is not overwritten.

A view with `VersionedMixin` answers `If-None-Match` with 304 after one short query, and takes
changes only with `If-Match` (RFC 9110, section 13): 428 without it, 412 if the row has changed.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import models
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.http import parse_etags
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

if TYPE_CHECKING:
    _Base = GenericViewSet[Any]
else:
    _Base = object

LENGTH = 20  # characters of a digest


class PreconditionFailed(APIException):
    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "changed"
    default_detail = (
        "This has changed since you read it. Read it again, and repeat your change with its new "
        "ETag if you still want it."
    )


class PreconditionRequired(APIException):
    status_code = HTTPStatus.PRECONDITION_REQUIRED
    default_code = "precondition_required"
    default_detail = "Send the ETag of what you read in If-Match, so that no change is lost."


class VersionedMixin(_Base):
    """Gives the rows of a viewset an `ETag`.

    Attributes:
        version_fields: what the representation depends on: names of fields and annotations, across
            relations too, of which one changes whenever it does. The queryset should load the
            relations.
        shown_fields: what it depends on besides, but what no one edits, as it is set by a task. It
            counts for `If-None-Match` only, so that no change of a person is refused for it.
        versioned_changes: the actions that demand `If-Match`, for the schema.
        locked: the rows to choose from, if a request that changes several has locked them.
    """

    version_fields: ClassVar[tuple[str, ...]] = ("updated_at",)
    shown_fields: ClassVar[tuple[str, ...]] = ()
    versioned_changes: ClassVar[frozenset[str]] = frozenset({"update", "partial_update", "destroy"})
    locked: Mapping[UUID, Any] | None = None

    def retrieve(self, request: Request, pk: UUID) -> Response:
        del request  # the view's own
        if etag := self.unchanged_etag(pk):
            return Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
        row = self.get_object()
        return Response(self.get_serializer(row).data, headers={"ETag": self.etag_of(row)})

    def unchanged_etag(self, pk: UUID) -> str | None:
        """Return the ETag of a row if `If-None-Match` lists it, otherwise None."""
        given = self.request.META.get("HTTP_IF_NONE_MATCH")
        if not given:
            return None
        etag = self.etag(pk)
        return etag if _is_listed(etag, given) else None

    def etag(self, pk: UUID) -> str:
        """Return the ETag of a row in the form that the request asks for.

        Its first part is the row's, its second that of the form: of `fields` and `expand`, and of
        what else is shown, such as links to uploads, which end where they are signed.
        """
        rows = self.get_queryset().values_list(*self.version_fields, *self.shown_fields)
        return self.etag_from(get_object_or_404(rows, pk=pk))

    def etag_of(self, row: models.Model) -> str:
        """Return the ETag of a row that is at hand, with its annotations."""
        return self.etag_from(
            attrgetter(name.replace("__", "."))(row)
            for name in (*self.version_fields, *self.shown_fields)
        )

    def etag_from(self, values: Iterable[Any]) -> str:
        """Return the ETag of a row with these values of `version_fields` and `shown_fields`."""
        form = self.request.META.get("QUERY_STRING", "")
        # Only storages with links that end have a version of them.
        links = getattr(default_storage, "links_version", str)()
        given, count = list(values), len(self.version_fields)
        return f'"{_digest(*given[:count])}.{_digest(form, links, *given[count:])}"'

    def lock(self, pks: Iterable[UUID]) -> dict[UUID, Any]:
        """Return those of these rows that the person sees, locked until the transaction ends.

        They are locked in one order, so that two requests never wait for each other.
        """
        related = [name.rpartition("__")[0] for name in self.version_fields if "__" in name]
        rows = self.get_queryset().select_related(*related)
        rows = rows.filter(pk__in=list(pks)).order_by("pk")
        return {row.pk: row for row in rows.select_for_update(of=("self",))}

    def get_locked_object(self, pk: UUID, *, required: bool = True) -> Any:
        """Return a row, locked until the transaction ends, for a change of it.

        Args:
            pk: of the row.
            required: whether the request must have `If-Match`, as it does if a change could
                overwrite another one.

        Raises:
            PreconditionRequired: it has none.
            PreconditionFailed: the row has changed since.
        """
        row = (self.lock([pk]) if self.locked is None else self.locked).get(pk)
        if row is None:
            raise Http404
        self.check_object_permissions(self.request, row)
        self.check_version(row, required=required)
        return row

    def check_version(self, row: models.Model, *, required: bool = True) -> None:
        """Compare a row with `If-Match`, as `get_locked_object` does."""
        given = self.request.headers.get("If-Match")
        if given is None:
            if required:
                raise PreconditionRequired
            return
        own = _row_part(self.etag_of(row))
        if given.strip() != "*" and own not in map(_row_part, parse_etags(given)):
            raise PreconditionFailed


def _digest(*values: Any) -> str:
    return sha256("\0".join(map(_text, values)).encode()).hexdigest()[:LENGTH]


def _text(value: Any) -> str:
    """Return a value as text; JSON as PostgreSQL writes it, from where it may come unread."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _row_part(etag: str) -> str:
    """Return the part of an ETag that is the row's.

    Compression, ours and that of proxies, makes an ETag weak: other bytes, but the same row.
    """
    return etag.removeprefix("W/").strip('"').partition(".")[0]


def _is_listed(etag: str, header: str) -> bool:
    return header.strip() == "*" or etag in (
        known.removeprefix("W/") for known in parse_etags(header)
    )
