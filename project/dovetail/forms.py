"""Renders every form with the templates in `templates/forms/` and DaisyUI's classes.

    FORM_RENDERER = "dovetail.forms.FormRenderer"

`{{ form }}`, `{{ form.title.as_field_group }}`, `{{ form.title }}` and allauth's pages then look
alike, without CSS classes in forms or templates.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.renderers import TemplatesSetting

COMPONENTS = {
    "checkbox": "checkbox",
    "file": "file-input",
    "range": "range",
    "select": "select",
}


class BoundField(forms.BoundField):
    """A field whose widget has its component's class, and the `-error` variant if it is invalid.

    The first invalid field also gets focus, without a script, unless the form has errors as a
    whole: then its error summary does (templates/forms/form.html).
    """

    def build_widget_attrs(
        self, attrs: Mapping[str, Any], widget: forms.Widget | None = None
    ) -> dict[str, Any]:
        widget = widget or self.field.widget
        built: dict[str, Any] = super().build_widget_attrs(dict(attrs), widget)
        if isinstance(widget, forms.MultiWidget):
            # Its parts may need different classes, and a class on the whole is applied to each.
            for part in widget.widgets:
                part.attrs["class"] = self._classes(part, part.attrs.get("class", ""))
        elif classes := self._classes(widget, built.get("class") or widget.attrs.get("class", "")):
            built["class"] = classes
        if self._is_first_invalid() and not widget.is_hidden:
            built["autofocus"] = True
        return built

    def _classes(self, widget: forms.Widget, own: str) -> str:
        classes = own.split()
        if name := component(widget):
            classes += [name, f"{name}-error"] if self.errors else [name]
        return " ".join(dict.fromkeys(classes))

    def _is_first_invalid(self) -> bool:
        errors = self.form.errors
        if self.name not in errors or NON_FIELD_ERRORS in errors:
            return False
        return self.name == next(name for name in self.form.fields if name in errors)


class FormRenderer(TemplatesSetting):
    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
    bound_field_class = BoundField


def component(widget: forms.Widget) -> str:
    """Return the DaisyUI component of a widget, "" if it needs none.

    The options of RadioSelect and CheckboxSelectMultiple get theirs from
    `templates/django/forms/widgets/input_option.html`, since a class on the whole is applied to
    each option.
    """
    if widget.is_hidden or isinstance(widget, forms.RadioSelect | forms.MultiWidget):
        return ""
    if isinstance(widget, forms.Textarea):
        return "textarea"
    kind = getattr(widget, "input_type", None)  # "select" for Select and SelectDateWidget
    return COMPONENTS.get(kind, "input") if kind else ""
