"""What is wrong with a request, and where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import exceptions


@dataclass(frozen=True)
class Fault:
    """One of the things that are wrong with a request.

    Attributes:
        detail: for people.
        code: stable, for programs.
        pointer: where it is in the sent JSON, as the keys and indexes that lead there.
        parameter: the parameter of the query string, if it is there.
        header: the header, if it is there.
    """

    detail: str
    code: str = "invalid"
    pointer: tuple[str | int, ...] = ()
    parameter: str = ""
    header: str = ""

    def as_member(self) -> dict[str, str]:
        if self.header:
            place = {"header": self.header}
        elif self.parameter:
            place = {"parameter": self.parameter}
        else:
            place = {"pointer": self._fragment()}
        return {**place, "code": self.code, "detail": self.detail}

    def _fragment(self) -> str:
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in self.pointer)
        return "#" + "".join(f"/{part}" for part in parts)


class BadInput(exceptions.ValidationError):
    """Raised where a request is wrong in ways that no serializer reports."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults


def in_parameters(error: exceptions.ValidationError) -> BadInput:
    """Return the error of a serializer or form that read the query string, as one of parameters."""
    return BadInput(
        *(
            Fault(fault.detail, fault.code, parameter=str(fault.pointer[0]))
            for fault in faults_of(error)
        )
    )


def faults_of(error: Exception) -> Iterator[Fault]:
    """Yield what is wrong with the request, from the exception that says it."""
    if isinstance(error, BadInput):
        yield from error.faults
    elif isinstance(error, exceptions.ValidationError):
        yield from _faults(error.detail, ())


def _faults(detail: Any, pointer: tuple[str | int, ...]) -> Iterator[Fault]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            at = pointer if key == "non_field_errors" else (*pointer, key)
            yield from _faults(value, at)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            # Of a list of rows, the rows without errors have an empty mapping.
            at = pointer if isinstance(value, str) else (*pointer, index)
            yield from _faults(value, at)
    else:
        yield Fault(str(detail), getattr(detail, "code", "invalid"), pointer)
