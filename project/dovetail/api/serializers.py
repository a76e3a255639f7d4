"""Serializers of which a request chooses the fields, and the relations to include in full.

    class ArticleSerializer(ModelSerializer):
        class Meta:
            model = Article
            fields = ["id", "title", "author"]
            expandable = {"author": PersonSerializer}

`?fields=id,title` leaves out the others, and `?expand=author` replaces the author's id by what
`PersonSerializer` says.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from dovetail.api.faults import BadInput, Fault
from dovetail.api.readers import Column, Reader, column_of

ModelT = TypeVar("ModelT", bound=models.Model)


if TYPE_CHECKING:
    _Base = serializers.Serializer[Any]
else:
    _Base = object


# What REST framework makes of other types: the text "0" of a number, true of the text "yes".
JSON_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type, str], ...] = (
    (serializers.BooleanField, bool, "true or false"),
    (serializers.CharField, str, "a string"),
    (serializers.IntegerField, int, "a whole number"),
    (serializers.UUIDField, str, "a string"),
)


class StrictMixin(_Base):
    """Refuses what REST framework ignores or guesses.

    That is, unknown and read-only fields, and values of another type than the schema says.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            writable = {str(field.field_name): field for field in self._writable_fields}
            faults = {name: self._refusal(name) for name in data if name not in writable}
            faults = faults or _mistyped(data, writable)
            if faults:
                told = list(faults.items())[:20]
                raise serializers.ValidationError({name: [detail] for name, detail in told})
        return super().to_internal_value(data)

    def _refusal(self, name: str) -> ErrorDetail:
        if name in self.fields:
            return ErrorDetail("This field cannot be set.", "read_only")
        return ErrorDetail("There is no such field.", "unknown")


class ModelSerializer(StrictMixin, serializers.ModelSerializer[ModelT]):
    """A ModelSerializer that refuses unknown and read-only fields, and shows the chosen ones."""

    # What it reads is the same for all of its instances, so `get_fields` must not look at the
    # request. (Not above: the schema shows a serializer's docstring.)

    @classmethod
    def expandable(cls) -> Mapping[str, type[serializers.BaseSerializer[Any]]]:
        """Return the serializers of the relations that a request may expand."""
        return getattr(cls.Meta, "expandable", {})

    def to_representation(self, instance: ModelT) -> dict[str, Any]:
        return {name: read(instance) for name, read in self._readers}

    @cached_property
    def _readers(self) -> list[tuple[str, Reader]]:
        model = self.Meta.model
        return [(column.name, column.reader_for(self, model)) for column in self._columns()]

    def _columns(self) -> Iterable[Column]:
        request = self.context.get("request")
        if request is None or request.method not in SAFE_METHODS or not self._is_outermost():
            return columns_of(type(self))
        columns = columns_of(type(self), frozenset(chosen(request, "expand", self.expandable())))
        if "fields" not in request.query_params:
            return columns
        kept = set(chosen(request, "fields", [column.name for column in columns]))
        return [column for column in columns if column.name in kept]

    def _is_outermost(self) -> bool:
        parent = self.parent
        return parent is None or (
            isinstance(parent, serializers.ListSerializer) and parent.parent is None
        )


@cache
def columns_of(
    kind: type[ModelSerializer[Any]], expanded: frozenset[str] = frozenset()
) -> tuple[Column, ...]:
    """Return the columns of a serializer; there are as many results as ways to expand."""
    serializer = kind()
    for name in expanded:
        serializer.fields[name] = kind.expandable()[name](read_only=True)
    model = serializer.Meta.model
    readable = (field for field in serializer.fields.values() if not field.write_only)
    return tuple(column_of(field, model) for field in readable)


def _mistyped(
    data: Mapping[str, Any], fields: Mapping[str, serializers.Field[Any, Any, Any, Any]]
) -> dict[str, ErrorDetail]:
    """Return the refusals of values of another type than that of their fields."""
    refusals = {}
    for name, value in data.items():
        known = [row for row in JSON_TYPES if isinstance(fields[name], row[0])]
        # Whether there may be none is up to the field. A bool is an int to Python.
        if known and value is not None and type(value) is not known[0][1]:
            refusals[name] = ErrorDetail(f"Must be {known[0][2]}.", "invalid")
    return refusals


def chosen(request: Request, parameter: str, known: Iterable[str]) -> list[str]:
    """Return the names in a parameter such as `?fields=id,title`.

    Raises:
        BadInput: one of them is not known.
    """
    given = request.query_params.get(parameter)
    if given is None:
        return []
    names = given.split(",")
    if "" in names:
        raise BadInput(Fault("Has an empty name.", "unknown", parameter=parameter))
    if unknown := sorted(set(names) - set(known)):
        told = f"{', '.join(unknown)[:100]}: unknown. Known here: {', '.join(known)}."
        raise BadInput(Fault(told, "unknown", parameter=parameter))
    return names
