"""Direct uploads: where to send a file, the file itself if it is stored here, and its check.

One protocol for all storages. The browser sends the form `name`, `size` and `type` of a file to
`uploads/` and gets, as JSON, the `id` of an upload, a `url`, and `fields`. To that URL it sends a
form with these fields and the file in `file`; it is that of S3, or of this site. Then it sends an
empty form to the URL in `complete`. An error is JSON with an `error` for people.

Own code because the packages for direct uploads are for S3 only, and trust what has arrived.
"""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from dovetail.http.bodies import takes_files
from dovetail.http.limits import sender
from dovetail.media.images import FORMATS, UNREADABLE, too_large
from dovetail.media.models import NotArrivedError, Upload
from dovetail.media.serving import DOWNLOAD
from dovetail.media.uploads import is_flood

logger = logging.getLogger(__name__)

LIFETIME = 600  # seconds in which a file may be sent
SIGNED_OUT = (
    "You're no longer signed in. Save to sign in again: what you wrote is kept, and you can choose "
    "the file again."
)
TOO_MANY = "You have uploaded a lot of files in a short time. Wait a minute and try again."
NOT_ARRIVED = "The file hasn't arrived yet. Send it again."
UNAVAILABLE = "Your file can't be stored right now. Try again in a moment."
OTHER_SIZE = "This isn't the file that was announced. Choose it again."

View = Callable[..., HttpResponse]


class BeginForm(forms.Form):
    """What a browser tells about a file."""

    name = forms.CharField(max_length=255)
    size = forms.IntegerField(min_value=1)
    # Browsers go by the name of a file, and leave this empty if it tells them nothing.
    type = forms.ChoiceField(
        choices=[(DOWNLOAD, ""), *((f"image/{kind.lower()}", kind) for kind in FORMATS)],
        required=False,
        error_messages={"invalid_choice": UNREADABLE},
    )

    def clean_size(self) -> int:
        size: int = self.cleaned_data["size"]
        if size > settings.IMAGE_MAX_BYTES:
            raise too_large()
        return size


def for_members(view: View) -> View:
    """Answer POSTs of people who are signed in, and never from a cache."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _error(SIGNED_OUT, HTTPStatus.UNAUTHORIZED)
        return view(request, *args, **kwargs)

    return never_cache(require_POST(answer))


@for_members
def create(request: HttpRequest) -> HttpResponse:
    """Begin an upload, and tell where to send the file."""
    form = BeginForm(request.POST)
    if not form.is_valid():
        [first, *_] = [error for errors in form.errors.values() for error in errors]
        return _error(str(first), HTTPStatus.UNPROCESSABLE_ENTITY)
    if is_flood(f"uploads:{sender(request)}", settings.UPLOADS_PER_MINUTE):
        refused = _error(TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
        refused["Retry-After"] = "60"
        return refused
    values = form.cleaned_data
    upload = Upload.objects.begin(
        request.user,  # type: ignore[arg-type] # signed in
        name=values["name"],
        size=values["size"],
        content_type=values["type"] or DOWNLOAD,
    )
    complete_url = reverse("uploads:complete", args=[upload.pk])
    try:
        target = _target(request, upload)
    except OSError as error:
        return _unavailable(upload, error)
    return JsonResponse(
        {"id": upload.pk, "complete": complete_url, **target}, status=HTTPStatus.CREATED
    )


def _target(request: HttpRequest, upload: Upload) -> dict[str, Any]:
    storage: Any = upload.file.storage
    if hasattr(storage, "form"):
        target: dict[str, Any] = storage.form(
            str(upload.file.name),
            size=upload.size,
            content_type=upload.content_type,
            lifetime=LIFETIME,
        )
        return target
    url = reverse("uploads:content", args=[upload.pk])
    return {"url": url, "fields": {"csrfmiddlewaretoken": get_token(request)}}


@takes_files
@for_members
def content(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the file of an upload, if this site stores it; `dovetail.http.bodies` limits it."""
    upload = get_object_or_404(Upload.objects.of(request.user), pk=pk, completed_at=None)
    if hasattr(upload.file.storage, "form"):
        raise Http404
    file = request.FILES.get("file")
    if file is None or file.size != upload.size:
        return _error(OTHER_SIZE, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        upload.store(file)
    except OSError as error:
        return _unavailable(upload, error)
    return HttpResponse(status=HTTPStatus.CREATED)


@for_members
def complete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Check the file of an upload that has been sent."""
    upload = get_object_or_404(Upload.objects.of(request.user), pk=pk)
    try:
        upload.complete()
    except NotArrivedError:
        return _error(NOT_ARRIVED, HTTPStatus.CONFLICT)
    except ValidationError as error:
        return _error(error.messages[0], HTTPStatus.UNPROCESSABLE_ENTITY)
    except OSError as error:
        return _unavailable(upload, error)
    return JsonResponse({"id": upload.pk, "name": upload.name})


def _unavailable(upload: Upload, error: OSError) -> HttpResponse:
    logger.error("The upload %s failed: %s", upload.pk, error)
    return _error(UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE)


def _error(text: str, status: HTTPStatus) -> HttpResponse:
    return JsonResponse({"error": text}, status=status)
