"""Reads the values of rows for JSON in one step for each field.

Own code because a serializer of REST framework builds its fields for each request, and decides for
each field of each row how to get its value and in which form: on a list of 20 that takes more time
than everything else.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import Model
from rest_framework import fields, relations, serializers

Field = serializers.Field[Any, Any, Any, Any]
Reader = Callable[[Any], Any]

# Their values are in the form that JSON has or orjson gives them, as are those of subclasses
# without a form of their own.
PLAIN = {
    kind.to_representation
    for kind in (
        *(fields.BooleanField, fields.CharField, fields.ChoiceField, fields.DateTimeField),
        *(fields.FloatField, fields.IntegerField, fields.UUIDField),
    )
}


@dataclass(frozen=True)
class Column:
    """How serializers of one class read a field.

    Attributes:
        name: of the field.
        field: of a serializer that exists only to be read from.
        reader: what reads the field in every request; None if that depends on the serializer, as
            with images, whose URLs have the request's host.
    """

    name: str
    field: Field
    reader: Reader | None

    def reader_for(self, serializer: serializers.BaseSerializer[Any], model: type[Model]) -> Reader:
        if self.reader:
            return self.reader
        field = deepcopy(self.field)  # made again with its arguments, and bound to nothing
        field.bind(self.name, serializer)
        return reader_of(field, model)


def column_of(field: Field, model: type[Model]) -> Column:
    """Return how to read a field, which is bound to its serializer, from rows of a model."""
    is_the_same = _is_key(field) or (_is_attribute(field) and _is_plain(field))
    return Column(str(field.field_name), field, reader_of(field, model) if is_the_same else None)


def reader_of(field: Field, model: type[Model]) -> Reader:
    """Return a function that reads the value of a field from a row of a model.

    Args:
        field: bound to its serializer.
        model: of the serializer.
    """
    if _is_key(field):
        column: Any = model._meta.get_field(str(field.source))
        return attrgetter(column.attname)
    if not _is_attribute(field):
        return _by_field(field)
    get = attrgetter(str(field.source))
    convert = None if _is_plain(field) else field.to_representation

    def read(row: Any) -> Any:
        value = get(row)
        if callable(value):
            value = value()
        return value if value is None or convert is None else convert(value)

    return read


def _is_key(field: Field) -> bool:
    return type(field) is relations.PrimaryKeyRelatedField and field.source == field.field_name


def _is_attribute(field: Field) -> bool:
    return field.source != "*" and type(field).get_attribute is fields.Field.get_attribute


def _is_plain(field: Field) -> bool:
    return type(field).to_representation in PLAIN


def _by_field(field: Field) -> Reader:
    """Return a function that leaves everything to the field."""

    def read(row: Any) -> Any:
        value = field.get_attribute(row)
        return None if value is None else field.to_representation(value)

    return read
