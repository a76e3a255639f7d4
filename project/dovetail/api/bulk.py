"""Many changes of rows in one request, with a result for each.

    POST /api/v1/articles/bulk/
    {
      "atomic": false,
      "operations": [
        {"method": "create", "fields": {"title": "New", "body": "Text"}},
        {"method": "update", "id": "0190…", "if_match": "…", "fields": {"title": "Newer"}},
        {"method": "delete", "id": "0190…", "if_match": "…"}
      ]
    }

Each operation is given to the method of the viewset that a request of its own would reach, with the
same person, permissions, `If-Match` and errors: there are no rules for bulk requests but their
size. The results have the order of the operations, and what each answer would have had: `status`,
`location`, `etag`, and a `body` or a `problem`, whose pointers lead into this request.

With `"atomic": true`, nothing is saved if one operation fails: the request fails with 422, and
those that had not failed have the status 424.

The form is that of SCIM's bulk requests (RFC 7644, 3.7), with an id where SCIM has a path: no path
has to be parsed and routed, and none leads to another resource.
JSON:API's atomic operations would need its envelopes, and have no way to save what can be saved.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from http import HTTPStatus
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from dovetail.api.etags import VersionedMixin
from dovetail.api.idempotency import idempotent
from dovetail.api.problems import MEDIA_TYPE, problem
from dovetail.api.serializers import StrictMixin
from dovetail.api.throttles import consume, scope_of

MAX_OPERATIONS = 100
MAX_ETAG = 200  # characters of `if_match`; those of rows have 43
# By method: the action of the viewset, the HTTP method of its own request, and what it needs.
METHODS = {
    "create": ("create", "POST", {"fields"}),
    "update": ("partial_update", "PATCH", {"id", "fields"}),
    "delete": ("destroy", "DELETE", {"id"}),
}
OPTIONAL = {"create": set[str](), "update": {"if_match"}, "delete": {"if_match"}}


class OperationSerializer(StrictMixin, serializers.Serializer[Any]):
    """One of the changes that a request makes."""

    method = serializers.ChoiceField(list(METHODS))
    id = serializers.UUIDField(required=False, help_text="Of the row to change.")
    if_match = serializers.CharField(
        required=False, max_length=MAX_ETAG, help_text="The ETag of what you read."
    )
    fields = serializers.DictField(  # type: ignore[assignment] # a serializer keeps it elsewhere
        required=False, help_text="As in the body of a request of its own."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        method = attrs["method"]
        needed = METHODS[method][2]
        faults = {
            name: [serializers.ErrorDetail(f"Is required to {method}.", "required")]
            for name in needed - set(attrs)
        } | {
            name: [serializers.ErrorDetail(f"Means nothing to {method}.", "unknown")]
            for name in set(attrs) - needed - OPTIONAL[method] - {"method"}
        }
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class BulkSerializer(StrictMixin, serializers.Serializer[Any]):
    """Changes to make in one request."""

    atomic = serializers.BooleanField(
        default=False, help_text="Whether nothing is saved if one operation fails."
    )
    operations: Any = serializers.ListSerializer(
        child=OperationSerializer(), allow_empty=False, max_length=MAX_OPERATIONS
    )

    def validate_operations(self, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen: set[UUID] = set()
        faults: list[dict[str, Any]] = []
        for operation in operations:
            pk = operation.get("id")
            faults.append({"id": ["Comes twice; change each only once."]} if pk in seen else {})
            if pk:
                seen.add(pk)
        if any(faults):
            raise serializers.ValidationError(faults)
        return operations


class ResultSerializer(serializers.Serializer[Any]):
    """What the answer to a request with this operation alone would have."""

    status = serializers.IntegerField(help_text="The status.")
    location = serializers.URLField(required=False, help_text="Where a new row is.")
    etag = serializers.CharField(required=False, help_text="The version of the row.")
    body = serializers.DictField(required=False, help_text="The row, without long texts.")
    problem = serializers.DictField(required=False, help_text="Why it was not carried out.")


class ResultsSerializer(serializers.Serializer[Any]):
    """The results, in the order of the operations."""

    results = ResultSerializer(many=True)


FAILED = "An operation failed with `atomic`, or the `Idempotency-Key` belongs to another request."
FAILURE = {
    "allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {
            "type": "object",
            "properties": {
                "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}}
            },
        },
    ]
}


class OperationRequest(Request):
    """An operation as if it had been sent by itself."""

    def __init__(self, whole: Request, method: str, operation: Mapping[str, Any]) -> None:
        http = copy(whole._request)  # noqa: SLF001 - Django's
        http.method = method
        http.META = {**http.META, "REQUEST_METHOD": method}
        for name in ("HTTP_IF_MATCH", "HTTP_IDEMPOTENCY_KEY"):
            http.META.pop(name, None)
        if "if_match" in operation:
            http.META["HTTP_IF_MATCH"] = operation["if_match"]
        http.__dict__.pop("headers", None)  # cached from META
        super().__init__(http)
        self.user, self.auth = whole.user, whole.auth
        self.accepted_renderer = whole.accepted_renderer
        self.accepted_media_type = whole.accepted_media_type
        self._fields = operation.get("fields", {})

    @property
    def data(self) -> Any:
        return self._fields


class BulkMixin(VersionedMixin):
    """Adds `bulk/` to a viewset with `create`, `partial_update` and `destroy`.

    Attributes:
        bulk_leaves_out: members that may be long, and that results have no copy of.
    """

    bulk_leaves_out: ClassVar[frozenset[str]] = frozenset()

    @extend_schema(
        request=BulkSerializer,
        responses={
            HTTPStatus.OK: ResultsSerializer,
            (HTTPStatus.UNPROCESSABLE_ENTITY, MEDIA_TYPE): OpenApiResponse(FAILURE, FAILED),
        },
    )
    @idempotent
    @action(detail=False, methods=["post"], filterset_class=None)
    def bulk(self, request: Request) -> Response:
        """Create, change and delete several at once. The results have the order of the operations.

        Each operation has the rights, fields and errors of a request of its own. With `atomic`,
        nothing is saved if one of them fails.
        """
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        operations = serializer.validated_data["operations"]
        # The request itself has been counted.
        if len(operations) > 1:
            consume(request, scope_of(request, self), len(operations) - 1)
        with transaction.atomic():
            results = list(self._results(request, operations))
            failed = [result for result in results if "problem" in result]
            if failed and serializer.validated_data["atomic"]:
                transaction.set_rollback(True)
                return _failure(results, len(failed))
        return Response({"results": results})

    def _results(
        self, request: Request, operations: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        changed = [operation["id"] for operation in operations if "id" in operation]
        locked = self._view_of(request, "update", {}).lock(changed) if changed else {}
        for index, operation in enumerate(operations):
            view = self._view_of(request, operation["method"], operation)
            view.locked = locked
            yield self._result(view, index, view.kwargs)

    def _view_of(self, request: Request, method: str, operation: Mapping[str, Any]) -> Self:
        """Return the viewset as it would be for one operation."""
        view = type(self)()
        view.action, http_method, _ = METHODS[method]
        view.action_map = {http_method.lower(): view.action}
        view.args = ()
        view.kwargs = {"pk": operation["id"]} if "id" in operation else {}
        view.format_kwarg = None
        view.detail = method != "create"
        view.basename = self.basename
        view.request = OperationRequest(request, http_method, operation)
        return view

    def _result(self, view: Self, index: int, kwargs: dict[str, Any]) -> dict[str, Any]:
        request = view.request
        try:
            with transaction.atomic():
                view.check_permissions(request)
                answer = getattr(view, view.action)(request, **kwargs)
        except Exception as error:  # noqa: BLE001 - raises again what is a fault of the server
            answer = view.handle_exception(error)
            return {"status": answer.status_code, "problem": _placed(answer.data, index)}
        result = {"status": answer.status_code}
        for name in ("Location", "ETag"):
            if name in answer.headers:
                result[name.lower()] = answer.headers[name]
        if answer.data is not None:
            left_out = self.bulk_leaves_out
            result["body"] = {k: v for k, v in answer.data.items() if k not in left_out}
        return result


def _placed(members: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a problem of which the pointers lead to the fields of an operation."""
    for fault in members.get("errors", ()):
        if "pointer" in fault:
            fault["pointer"] = f"#/operations/{index}/fields{fault['pointer'].removeprefix('#')}"
    return members


def _failure(results: list[dict[str, Any]], failed: int) -> Response:
    undone = problem(
        HTTPStatus.FAILED_DEPENDENCY,
        "This would have been done, but another operation failed.",
    )
    members = problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Nothing was saved, because {failed} of {len(results)} operations failed.",
        "operations_failed",
    )
    members["results"] = [
        result if "problem" in result else {"status": undone["status"], "problem": undone}
        for result in results
    ]
    return Response(members, members["status"], content_type=MEDIA_TYPE)
