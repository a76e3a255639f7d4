"""Keeps one person's edit from silently overwriting another's.

A form carries a version of the row that it was opened with. If the row has changed by the time the
form is sent, nothing is saved: the form comes back with status 409, with what was typed and what is
stored now. Saving again replaces the stored text.

    class ReceiptForm(VersionedModelForm[Receipt]): ...
    class ReceiptUpdateView(VersionedUpdateView[Receipt, ReceiptForm]): ...
    class ReceiptAdmin(VersionedAdmin[Receipt]): ...  # dovetail.models.admin
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html
from django.views.generic import UpdateView

from dovetail.media.fields import DecodesLastMixin

FIELD = "version"
CHANGED = (
    "This was changed while you were editing it, so your changes have not been saved. They are "
    "still here, next to what is stored now. Copy what you need from it, then save again."
)
DELETED = "This was deleted while you were editing it. Your text is still here, so you can copy it."

ModelT = TypeVar("ModelT", bound=models.Model)
FormT = TypeVar("FormT", bound="VersionedModelForm[Any]")


class VersionInput(forms.HiddenInput):
    """A hidden input that browsers do not restore, and that a page refresh leaves to its draft."""

    def __init__(self) -> None:
        # data-version: frontend/src/js/dovetail/morphing.ts and drafts.ts.
        super().__init__({"autocomplete": "off", "data-version": True})


class VersionedModelForm(DecodesLastMixin, forms.ModelForm[ModelT]):
    """A model form that refuses to overwrite changes made since it was opened.

    Validation locks the row until the transaction ends, so that the comparison still holds when the
    form is saved: validate and save in one transaction, as `VersionedUpdateView` and the admin do.
    A submission without a version, as from a script, is not compared.

    Attributes:
        is_conflict: whether the row has changed since the form was opened.
    """

    version = forms.CharField(required=False, widget=VersionInput)
    is_conflict = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            del self.fields[FIELD]
        else:
            self.initial[FIELD] = self.version_of(self.instance)

    def version_of(self, row: models.Model) -> str:
        """Return a digest of the fields that this form edits.

        Unlike `updated_at`, it stays the same when something else about the row changes.
        """
        values = {name: _stored(row, name) for name in self._edited()}
        return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]

    def _edited(self) -> Iterator[str]:
        options = self._meta.model._meta
        stored = {field.name for field in (*options.fields, *options.many_to_many)}
        return (
            name for name, field in self.fields.items() if name in stored and not field.disabled
        )

    def _post_clean(self) -> None:
        current = self._lock() if FIELD in self.fields else None
        sent = self.cleaned_data.get(FIELD)
        super()._post_clean()  # type: ignore[misc] # sets the instance's fields
        if FIELD not in self.fields:
            return
        if current is None:
            self.is_conflict = True
            self.add_error(None, ValidationError(DELETED, code="deleted"))
        elif sent and sent != self.version_of(current):
            self._compare(current)

    def _lock(self) -> models.Model | None:
        """Lock the row and take over the fields that this form does not edit.

        They may have changed since the view loaded the row, and saving writes all of them.
        """
        using = router.db_for_write(self._meta.model, instance=self.instance)
        rows = self._meta.model._base_manager.using(using)
        current = rows.select_for_update().filter(pk=self.instance.pk).first()
        if current is not None:
            edited, deferred = set(self._edited()), self.instance.get_deferred_fields()
            for field in current._meta.concrete_fields:
                if field.name not in edited and field.attname not in deferred:
                    setattr(self.instance, field.attname, getattr(current, field.attname))
        return current

    def _compare(self, current: models.Model) -> None:
        """Report the fields whose stored values differ from those of this form, if any do."""
        for name in self._edited():
            if name in self.cleaned_data and not self._is_same(current, name):
                self.is_conflict = True
                stored = linebreaksbr(self._shown(current, name), autoescape=True)
                text = format_html("Stored now: <q>{}</q>", stored)
                self.add_error(name, ValidationError(text, code="changed"))
        if self.is_conflict:
            self.add_error(None, ValidationError(CHANGED, code="changed"))
            # The next attempt is made in the knowledge of what is stored now.
            data = QueryDict(mutable=True)
            data.update(self.data)
            data[self.add_prefix(FIELD)] = self.version_of(current)
            self.data = data

    def _is_same(self, current: models.Model, name: str) -> bool:
        value = self.cleaned_data[name]
        field = current._meta.get_field(name)
        if isinstance(field, models.FileField):
            # Without a new file, and without the box that clears it, the stored one is kept.
            return name not in self.changed_data
        if field.many_to_many:
            return bool(sorted(str(row.pk) for row in value) == _stored(current, name))
        return bool(_lines(_stored(self.instance, name)) == _lines(_stored(current, name)))

    def _shown(self, row: models.Model, name: str) -> str:
        field = row._meta.get_field(name)
        if field.many_to_many:
            return ", ".join(str(other) for other in getattr(row, name).all()) or "nothing"
        display = getattr(row, f"get_{name}_display", None)
        value = display() if display else getattr(row, name)
        return str(value) if value not in (None, "") and str(value) else "nothing"


def _stored(row: models.Model, name: str) -> Any:
    field = row._meta.get_field(name)
    if field.many_to_many:
        return sorted(str(pk) for pk in getattr(row, name).values_list("pk", flat=True))
    return field.value_to_string(row)  # type: ignore[union-attr]


def _lines(value: Any) -> Any:
    """Return a value with the line ends that browsers send."""
    return value.splitlines() if isinstance(value, str) else value


class VersionedUpdateView(UpdateView[ModelT, FormT]):
    """An UpdateView that saves in one transaction, and answers a conflict with 409."""

    def post(self, request: HttpRequest, *args: str, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return super().post(request, *args, **kwargs)

    def form_invalid(self, form: FormT) -> HttpResponse:
        return with_conflict(super().form_invalid(form), form)


def with_conflict(response: HttpResponse, form: object) -> HttpResponse:
    """Answer 409 if this form conflicts with a change by someone else."""
    if getattr(form, "is_conflict", False):
        response.status_code = HTTPStatus.CONFLICT
    return response
