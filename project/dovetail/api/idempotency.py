"""A POST that can be sent again: with the same `Idempotency-Key`, it is carried out once.

    class ReceiptViewSet(GenericViewSet[Receipt]):
        @idempotent
        def create(self, request: Request) -> Response: ...

A client that got no answer cannot know whether its request was carried out. If it had sent a key of
its choice, it sends the same request again, and gets the answer of the first, marked with
`Idempotency-Replayed: true`. That follows draft-ietf-httpapi-idempotency-key-header-07.

The answer is stored in the transaction of what it reports, so there is never one without the other.
Meanwhile, the transaction holds an advisory lock of PostgreSQL, which ends with it, even if the
process is killed: another request with the key is told to come back, and no key is blocked for
good. Only what was carried out is stored: a request that was refused can be corrected and sent
again with its key.

Don't use it where the answer contains a secret, such as a new token: it would be stored.

Own code because django-idempotency-key, the only package that is used, keeps its answers in the
cache, apart from their effects.
"""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from dovetail.api.callers import caller_of
from dovetail.api.faults import BadInput, Fault
from dovetail.api.models import StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_LENGTH = 255
KEPT_HEADERS = ("Content-Type", "ETag", "Link", "Location")
MARK = "takes_idempotency_key"
RETRY_AFTER = 1  # seconds

PARAMETER = OpenApiParameter(
    HEADER,
    # Without the quotes that are allowed around it.
    {"type": "string", "maxLength": MAX_LENGTH, "pattern": "^[!#-~]([ -~]*[!-~])?$"},
    OpenApiParameter.HEADER,
    description="Of your choice, such as a UUID: a request with it is carried out once, and its "
    "answer is given again to the same request for a day.",
)

Method = TypeVar("Method", bound=Callable[..., HttpResponseBase])


class InProgress(APIException):
    status_code = HTTPStatus.CONFLICT
    default_code = "in_progress"
    default_detail = "A request with this Idempotency-Key is being carried out. Try again soon."
    wait = RETRY_AFTER  # which REST framework sends as Retry-After


class KeyReused(APIException):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = (
        "This Idempotency-Key belongs to a request with another body or address. Use a new key "
        "for each request, and the same only to repeat one as it was."
    )


class AnswerNotKept(APIException):
    status_code = HTTPStatus.CONFLICT
    default_code = "answer_not_kept"
    default_detail = (
        "The request with this Idempotency-Key was carried out, but its answer was too large to "
        "keep. Read what it has changed."
    )


def idempotent(method: Method) -> Method:
    """Make a method of a viewset carry out requests with the same `Idempotency-Key` once.

    Place it above `@action`, if the method has that.
    """

    @wraps(method)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = key_of(request)
        if key is None:
            return method(view, request, *args, **kwargs)
        digest, fingerprint = _digest_of(view, method, request, key), _fingerprint_of(request)
        with transaction.atomic():
            _lock(digest)
            # A statement of its own: it must see what the last holder of the lock has committed.
            stored = StoredAnswer.objects.current().filter(digest=digest).first()
            if stored:
                return _replay(stored, fingerprint)
            response = method(view, request, *args, **kwargs)
            if response.status_code < HTTPStatus.BAD_REQUEST:
                _store(digest, fingerprint, view, request, response)
        return response

    setattr(answer, MARK, True)
    return cast("Method", extend_schema(parameters=[PARAMETER])(answer))


def refuse_unused_key(request: Request, method: object) -> None:
    """Raise `BadInput` for the key of a POST that does not look at it.

    Otherwise its sender would believe that it is safe to send the request again.
    """
    if request.method == "POST" and HEADER in request.headers and not getattr(method, MARK, False):
        raise BadInput(Fault("This request takes no such key.", "unknown", header=HEADER))


def key_of(request: Request) -> str | None:
    """Return the idempotency key of a request, None if it has none.

    The draft demands a quoted string (RFC 9651, 3.3.3), but most clients send it without quotes.

    Raises:
        BadInput: it has no proper form, or no one whose key it is.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    key = _unquoted(given.strip())
    if not 1 <= len(key) <= MAX_LENGTH or not all(" " <= character <= "~" for character in key):
        told = f"Must be 1 to {MAX_LENGTH} printable ASCII characters, such as a UUID."
        raise BadInput(Fault(told, header=HEADER))
    if not request.user.is_authenticated:
        raise BadInput(Fault("Only those who are signed in may send it.", header=HEADER))
    return key


def _unquoted(text: str) -> str:
    """Return the value of a quoted string, "" if it has none; other text as it is."""
    if not text.startswith('"'):
        return text
    characters: list[str] = []
    rest = iter(text[1:])
    for character in rest:
        if character == '"':
            return "" if next(rest, "") else "".join(characters)
        if character == "\\" and (character := next(rest, "")) not in {'"', "\\"}:
            return ""
        characters.append(character)
    return ""  # it does not end


def _digest_of(view: object, method: Callable[..., Any], request: Request, key: str) -> str:
    """Return the digest of a key and of what it is valid for: a person, a token, an endpoint."""
    caller = caller_of(request)
    endpoint = f"{type(view).__module__}.{type(view).__qualname__}.{method.__name__}"
    return _sha256(caller.person, caller.token, endpoint, key)


def _fingerprint_of(request: Request) -> str:
    http = request._request  # noqa: SLF001 - Django's, of which the body can be read before parsing
    return _sha256(str(http.method), http.get_full_path(), http.body)


def _sha256(*parts: str | bytes) -> str:
    hashed = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(b"%d:" % len(data) + data)
    return hashed.hexdigest()


def _lock(digest: str) -> None:
    number = int.from_bytes(bytes.fromhex(digest[:16]), signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise InProgress


def _replay(stored: StoredAnswer, fingerprint: str) -> HttpResponse:
    if stored.fingerprint != fingerprint:
        raise KeyReused
    if stored.body is None:
        raise AnswerNotKept
    headers = {**stored.headers, REPLAYED: "true"}
    return HttpResponse(bytes(stored.body), status=stored.status, headers=headers)


def _store(
    digest: str, fingerprint: str, view: Any, request: Request, response: HttpResponseBase
) -> None:
    body = _body_of(view, request, response)
    answer = StoredAnswer(
        digest=digest,
        user=cast("Any", request.user),
        fingerprint=fingerprint,
        status=response.status_code,
        headers={name: response[name] for name in KEPT_HEADERS if name in response.headers},
        body=body if len(body) <= settings.IDEMPOTENCY_MAX_BYTES else None,
        created_at=timezone.now(),
    )
    # An answer that has expired may not have been deleted yet.
    updated = [field.name for field in StoredAnswer._meta.fields if not field.primary_key]
    StoredAnswer.objects.bulk_create(
        [answer], update_conflicts=True, unique_fields=["digest"], update_fields=updated
    )


def _body_of(view: Any, request: Request, response: HttpResponseBase) -> bytes:
    if isinstance(response, Response):
        # What the view would do after this; rendering happens once.
        response.accepted_renderer = request.accepted_renderer
        response.accepted_media_type = request.accepted_media_type
        response.renderer_context = view.get_renderer_context()  # type: ignore[attr-defined]
        response.render()
    return bytes(cast("HttpResponse", response).content)
