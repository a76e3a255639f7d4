"""Files that are sent before the form that they belong to; see `dovetail.media.direct`."""

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import models
from django.utils import timezone

from dovetail.media.images import check_image
from dovetail.media.names import INCOMING

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KEPT = timedelta(days=1)  # an upload that no form has taken
MOST = 20  # such uploads of a person; the newest are kept
CUT_OFF = "The file didn't arrive as a whole. Send it again."


class NotArrivedError(Exception):
    """There is no file yet."""


def incoming_name(_instance: models.Model, _filename: str) -> str:
    """Return a random name, in a folder from which no file is served."""
    return f"{INCOMING}/{secrets.token_hex(16)}"


def storable_name(name: str) -> str:
    """Return a name to show, without what a column cannot hold."""
    return name.encode(errors="ignore").decode().replace("\0", "")[:255] or "file"


class UploadQuerySet(models.QuerySet["Upload"]):
    def begin(self, owner: "AbstractBaseUser", **fields: Any) -> "Upload":
        """Create an upload whose file is still to come, and delete the owner's oldest ones.

        Args:
            owner: who may send the file and use it.
            fields: its `name`, `size` and `content_type`, as the browser tells them.
        """
        upload = Upload(owner_id=owner.pk, **fields)
        upload.file = incoming_name(upload, "")
        upload.save()
        newest = self.filter(owner=owner.pk).order_by("-created_at").values("pk")[:MOST]
        self.filter(owner=owner.pk).exclude(
            pk__in=list(newest.values_list("pk", flat=True))
        ).delete()
        return upload

    def keep(self, owner: "AbstractBaseUser", file: "UploadedFile[bytes]") -> "Upload":
        """Store a file that came with a form, for the next attempt to send that form.

        Raises:
            OSError: it cannot be stored, or was deleted meanwhile, as the oldest of too many.
        """
        upload = self.begin(
            owner,
            name=storable_name(str(file.name)),
            size=file.size or 0,
            content_type=storable_name(str(file.content_type or ""))[:100],
        )
        file.seek(0)
        upload.file.storage.save(str(upload.file.name), file)
        if not upload.note_completion():
            raise FileNotFoundError("it was deleted meanwhile")
        return upload

    def of(self, person: Any) -> Self:
        """Limit to the uploads that a person has begun."""
        return self.filter(owner=person.pk)

    def completed(self) -> Self:
        """Limit to those whose file has arrived and was accepted."""
        return self.filter(completed_at__isnull=False)

    def expired(self) -> Self:
        """Limit to those that no form has taken in a day."""
        return self.filter(created_at__lt=timezone.now() - KEPT)


class Upload(models.Model):
    """A file that someone sends, or has sent, for a form that is not sent yet.

    Attributes:
        owner: who may send and use it. To others it does not exist.
        file: where it is, or will be. It is deleted with the row, after the commit.
        name, size, content_type: as the browser tells them; `size` in bytes.
        completed_at: when it was accepted.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", editable=False
    )
    file = models.FileField(upload_to=incoming_name, unique=True)
    name = models.CharField(max_length=255)
    size = models.PositiveIntegerField()
    content_type = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def store(self, file: "UploadedFile[bytes]") -> None:
        """Store the file where it belongs, in place of one that was sent before.

        Raises:
            OSError: it cannot be stored.
        """
        storage, name = self.file.storage, str(self.file.name)
        storage.delete(name)
        stored = storage.save(name, file)
        if stored != name:  # it is being sent twice at once
            storage.delete(stored)

    def read(self) -> bytes:
        """Return the content of the file.

        Raises:
            FileNotFoundError: it has not arrived.
            OSError: the storage is unavailable.
        """
        with self.file.storage.open(str(self.file.name)) as file:
            return bytes(file.read())

    def complete(self) -> None:
        """Check the file that has arrived. Doing so twice is harmless.

        Raises:
            NotArrivedError: there is none yet.
            ValidationError: it is cut off, or `check_image` refuses it; the upload is deleted.
            OSError: the storage is unavailable.
        """
        if self.completed_at:
            return
        try:
            content = self.read()
        except FileNotFoundError as error:
            raise NotArrivedError from error
        try:
            self._check(content)
        except ValidationError:
            self.delete()
            raise
        if not self.note_completion():
            raise NotArrivedError

    def note_completion(self) -> bool:
        """Note that the file was accepted, and return whether the upload still exists.

        The row may have gone while its file was read or stored; then the file goes as well, with
        those that no row refers to.
        """
        self.completed_at = timezone.now()
        rows = Upload.objects.filter(pk=self.pk)
        return bool(rows.update(completed_at=self.completed_at))

    def _check(self, content: bytes) -> None:
        if len(content) != self.size:
            raise ValidationError(CUT_OFF, code="cut_off")
        check_image(SimpleUploadedFile("upload", content))
