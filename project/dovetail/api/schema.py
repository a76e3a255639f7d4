"""The OpenAPI schema of what the kit adds to REST framework.

For the setting `DEFAULT_SCHEMA_CLASS`. Each operation documents the parameters that it takes, and
every answer that it can give, so that a client has no case to find out by itself.
"""

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiFilterExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import force_instance
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.serializers import BaseSerializer

from dovetail.api.answers import Components
from dovetail.api.etags import VersionedMixin
from dovetail.api.idempotency import MARK
from dovetail.api.pagination import CursorPagination
from dovetail.api.serializers import ModelSerializer, StrictMixin
from dovetail.api.statuses import phrase
from dovetail.api.viewsets import GenericViewSet

SUMMARIES = {
    "list": "List {plural}",
    "retrieve": "Get {one}",
    "create": "Create {one}",
    "update": "Replace {one}",
    "partial_update": "Change {one}",
    "destroy": "Delete {one}",
}
LISTS = (serializers.ListField, serializers.ListSerializer)
SUCCESS = range(200, 300)
EXAMPLE_SITE = "https://site.example"
EXAMPLE_ID = "01936c2e-9a10-7f0e-8a51-0d5a3f6b7c21"


class SessionScheme(OpenApiAuthenticationExtension):
    """Describes the session of the site's own pages."""

    target_class = "dovetail.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        del auto_schema
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",  # the setting depends on the host
            "description": "The session of the site's own pages, in production in the cookie "
            "`__Host-sessionid`. Changes also need the CSRF token of a page, in `X-CSRF-Token`.",
        }


class AutoSchema(SpectacularAutoSchema):
    """Documents the conventions of `GenericViewSet`, `VersionedMixin` and `ModelSerializer`.

    A view names the statuses of problems that only it has in `problems`, by action.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        self.components = Components(self.registry)
        if headers := list(self._header_parameters()):
            operation.setdefault("parameters", []).extend(headers)
        answers = operation["responses"]
        for status, answer in answers.items():
            if int(status) in SUCCESS:
                answer["description"] = answer["description"] or phrase(int(status))
                answer.setdefault("headers", {}).update(self._headers(int(status)))
            if self._is_paginated:
                self._add_next_page(answer)
        if self._is_versioned_read:
            answers["304"] = {
                "description": "What you have is current.",
                "headers": {"ETag": self.components.header("ETag")},
            }
        for status in self._problems(takes_body="requestBody" in operation):
            answers.setdefault(str(status), self.components.problem(status))
        operation["responses"] = dict(sorted(answers.items()))
        return operation

    @property
    def _action(self) -> str:
        return getattr(self.view, "action", None) or ""

    @property
    def _is_versioned(self) -> bool:
        return isinstance(self.view, VersionedMixin)

    @property
    def _is_versioned_read(self) -> bool:
        return self._is_versioned and self._action == "retrieve"

    @property
    def _takes_if_match(self) -> bool:
        return (
            self._is_versioned
            and bool(getattr(self.view, "detail", False))
            and self.method in {"PUT", "PATCH", "DELETE"}
        )

    @property
    def _is_paginated(self) -> bool:
        return self._is_list_view() and isinstance(self._get_paginator(), CursorPagination)  # type: ignore[no-untyped-call]

    def _add_next_page(self, answer: dict[str, Any]) -> None:
        """Give the examples of a page a link to the next one."""
        url = f"{EXAMPLE_SITE}{self.path}?cursor=cD0wMTkzNmMyZS05YTEw"
        for content in answer.get("content", {}).values():
            for example in content.get("examples", {}).values():
                example["value"]["next"] = re.sub(r"{\w+}", EXAMPLE_ID, url)

    def _header_parameters(self) -> Iterator[dict[str, str]]:
        if self._is_versioned_read:
            yield self.components.parameter("If-None-Match")
        elif self._takes_if_match:
            required = self._action in cast("VersionedMixin", self.view).versioned_changes
            yield self.components.parameter("If-Match-required" if required else "If-Match")

    def _headers(self, status: int) -> dict[str, Any]:
        names = []
        if self._is_versioned and not self._is_list_view() and status != HTTPStatus.NO_CONTENT:
            names.append("ETag")
        if self._is_paginated:
            names.append("Link")
        if status == HTTPStatus.CREATED:
            names.append("Location")
        if self.view.get_throttles():
            names += ["RateLimit", "RateLimit-Policy"]
        return {name: self.components.header(name) for name in names}

    def _problems(self, *, takes_body: bool) -> Iterator[int]:
        """Yield the statuses of the problems that can come up."""
        yield from (400, 406, 500, 503)
        if self.view.get_authenticators():
            yield from (401, 403)
        if "{" in self.path:
            yield 404
        if self.method not in SAFE_METHODS:
            yield from (408, 413)
        if takes_body:
            yield 415
        if self._takes_if_match:
            yield 412
            if self._action in cast("VersionedMixin", self.view).versioned_changes:
                yield 428
        if getattr(self._view_method, MARK, False):
            yield from (409, 422)
        if self.view.get_throttles():
            yield 429
        yield from getattr(self.view, "problems", {}).get(self._action, ())

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the ways to say who one is; an empty one if it need not be said."""
        known = [scheme for scheme in super().get_auth() if scheme]
        visitor: Any = SimpleNamespace(method=self.method, user=AnonymousUser(), auth=None)
        public = all(
            permission.has_permission(visitor, self.view)
            for permission in self.view.get_permissions()
        )
        return [*known, {}] if public and known else known

    def get_operation_id(self) -> str:
        """Return a name such as `articlePartialUpdate`, from `basename` and the action.

        Not with underscores: Swagger UI takes those in its links for spaces.
        """
        basename = getattr(self.view, "basename", None)
        if not basename or not self._action:
            return super().get_operation_id()
        first, *rest = f"{basename}_{self._action}".replace("-", "_").split("_")
        return first + "".join(map(str.capitalize, rest))

    def get_summary(self) -> str | None:
        """Return the first sentence of the method's docstring, or else what its action does."""
        if told := self._told[0]:
            return told
        model = getattr(getattr(self.view, "serializer_class", None), "Meta", None)
        if self._action in SUMMARIES and model is not None:
            name, plural = model.model._meta.verbose_name, model.model._meta.verbose_name_plural
            one = f"{'an' if str(name)[0].lower() in 'aeio' else 'a'} {name}"
            return SUMMARIES[self._action].format(one=one, plural=plural)
        return None

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular's
        """Return what the method's docstring says after the summary, or else the class's."""
        own = inspect.cleandoc(type(self.view).__doc__ or "") if self.method in SAFE_METHODS else ""
        return self._told[1] or own

    @property
    def _told(self) -> tuple[str, str]:
        """The first sentence of the method's own docstring, without its period, and the rest."""
        told = inspect.cleandoc(getattr(self._view_method, "__doc__", None) or "")
        line, _, rest = told.partition("\n")
        first, _, second = line.partition(". ")
        return first.rstrip("."), f"{second}\n{rest}".strip()

    @property
    def _view_method(self) -> object:
        return getattr(self.view, self._action, None)

    def _process_override_parameters(self, direction: str = "request") -> dict[Any, Any]:
        result: dict[Any, Any] = super()._process_override_parameters(direction)  # type: ignore[no-untyped-call]
        if isinstance(self.view, GenericViewSet):
            for parameter in self._choices():
                result.setdefault((parameter["name"], "query"), parameter)
        return result

    def _choices(self) -> Iterator[dict[str, Any]]:
        """Yield the parameters that choose the members of an answer."""
        if self.method not in SAFE_METHODS:
            return
        serializer = force_instance(self.get_response_serializers())
        serializer = getattr(serializer, "child", serializer)
        if not isinstance(serializer, ModelSerializer):
            return
        yield _names("fields", list(serializer.fields), "The members to answer with.")
        if expandable := list(serializer.expandable()):
            yield _names("expand", expandable, "Relations to answer with in full, instead of ids.")

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_serializer_field(field, direction, *args)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(field, LISTS):
            if not field.allow_empty:
                schema["minItems"] = 1
            if (most := getattr(field, "max_length", None)) is not None:
                schema["maxItems"] = most
        return schema

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if isinstance(field, serializers.SlugField):
            schema.pop("pattern", None)  # its \w are the letters of all languages, as in no schema

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, StrictMixin):
            schema["additionalProperties"] = False
        if direction == "response" and isinstance(serializer, ModelSerializer):
            for name, expanded in serializer.expandable().items():
                if isinstance(serializer.fields[name], BaseSerializer):
                    continue  # always answered in full
                component = self.resolve_serializer(cast("Any", expanded), direction)
                whole = schema["properties"][name]
                schema["properties"][name] = {
                    "oneOf": [
                        {k: v for k, v in whole.items() if k not in {"readOnly", "description"}},
                        component.ref,
                    ],
                    "readOnly": True,
                    "description": f"An id, or with `expand={name}` all of it.",
                }
        return schema


def _names(name: str, choices: list[str], description: str) -> dict[str, Any]:
    """Return a parameter of names with commas between them."""
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": choices}},
        "style": "form",
        "explode": False,
    }


class OrderingExtension(OpenApiFilterExtension):
    """Documents the choices of an order."""

    target_class = "dovetail.api.filters.OrderingFilter"

    def get_schema_operation_parameters(self, auto_schema: Any, **_: Any) -> list[dict[str, Any]]:
        names = auto_schema.view.ordering_fields
        if not names:
            return []
        choices = [f"{sign}{name}" for name in names for sign in ("", "-")]
        return [
            {
                "name": self.target.ordering_param,
                "in": "query",
                "description": "What to order by; with `-` in front, the other way round.",
                "schema": {"type": "string", "enum": choices},
            }
        ]


class PaginationExtension(OpenApiFilterExtension):
    """Documents the parameters of pages with their limits."""

    target_class = "dovetail.api.pagination.CursorPagination"

    def get_schema_operation_parameters(self, auto_schema: Any, **_: Any) -> list[dict[str, Any]]:
        del auto_schema
        return [
            {
                "name": self.target.cursor_query_param,
                "in": "query",
                "description": "Where a page starts, as in the links of a list.",
                "schema": {"type": "string"},
            },
            {
                "name": self.target.page_size_query_param,
                "in": "query",
                "description": "How many to answer with at most.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.target.max_page_size,
                    "default": self.target.page_size,
                },
            },
        ]
