import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.renderers import get_default_renderer

from dovetail.forms import FormRenderer, component

CHOICES = [("oak", "Oak"), ("ash", "Ash")]


class JointForm(forms.Form):
    name = forms.CharField(help_text="As carved into the wood.")
    email = forms.EmailField(required=False)
    notes = forms.CharField(widget=forms.Textarea, max_length=80)
    wood = forms.ChoiceField(choices=CHOICES)
    woods = forms.MultipleChoiceField(choices=CHOICES)
    glue = forms.ChoiceField(choices=CHOICES, widget=forms.RadioSelect, help_text="Bone or hide.")
    tools = forms.MultipleChoiceField(
        choices=[("Hand", CHOICES)], widget=forms.CheckboxSelectMultiple, required=False
    )
    angle = forms.IntegerField(widget=forms.NumberInput(attrs={"type": "range"}))
    drawing = forms.FileField(required=False)
    finished = forms.BooleanField()
    made = forms.SplitDateTimeField()
    due = forms.DateField(widget=forms.SelectDateWidget)
    token = forms.CharField(widget=forms.HiddenInput, required=False)


class Elements(HTMLParser):
    """The start tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.found if "id" in attrs]

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.found if attrs.get("name") == name]

    def classes(self, name: str) -> list[list[str]]:
        return [(attrs.get("class") or "").split() for attrs in self.named(name)]


def test_renderer_is_set_in_the_settings() -> None:
    assert isinstance(get_default_renderer(), FormRenderer)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", ["input"]),
        ("email", ["input"]),
        ("notes", ["textarea"]),
        ("wood", ["select"]),
        ("woods", ["select"]),
        ("angle", ["range"]),
        ("drawing", ["file-input"]),
        ("finished", ["checkbox"]),
        ("token", []),
        ("made_0", ["input"]),
        ("made_1", ["input"]),
        ("due_month", ["select"]),
    ],
)
def test_widget_has_the_class_of_its_component(name: str, expected: list[str]) -> None:
    assert Elements(str(JointForm())).classes(name) == [expected]


@pytest.mark.parametrize(("name", "expected"), [("glue", ["radio"]), ("tools", ["checkbox"])])
def test_options_have_the_class_but_their_group_does_not(name: str, expected: list[str]) -> None:
    page = Elements(str(JointForm()))

    assert page.classes(name) == [expected, expected]
    group = [attrs for tag, attrs in page.found if tag == "div" and attrs.get("id") == f"id_{name}"]
    assert [(attrs["class"] or "").split() for attrs in group] == [["choices"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", "input-error"),
        ("notes", "textarea-error"),
        ("wood", "select-error"),
        ("glue", "radio-error"),
        ("angle", "range-error"),
        ("finished", "checkbox-error"),
        ("made_0", "input-error"),
        ("due_day", "select-error"),
    ],
)
def test_invalid_field_is_marked(name: str, expected: str) -> None:
    page = Elements(str(JointForm({})))

    assert page.named(name)
    assert all(expected in classes for classes in page.classes(name))
    assert all(attrs.get("aria-invalid") == "true" for attrs in page.named(name))


def test_valid_field_of_an_invalid_form_is_not_marked() -> None:
    page = Elements(str(JointForm({"name": "Tail"})))

    assert page.classes("name") == [["input"]]
    assert "aria-invalid" not in page.named("name")[0]


def test_widget_classes_are_kept_without_duplicates() -> None:
    class CarvedForm(forms.Form):
        name = forms.CharField(widget=forms.TextInput(attrs={"class": "input carved"}))
        made = forms.SplitDateTimeField()

    form = CarvedForm()
    str(form)

    page = Elements(str(form))
    assert page.classes("name") == [["input", "carved"]]
    assert page.classes("made_0") == [["input"]]


@pytest.mark.parametrize("data", [None, {}], ids=["unbound", "invalid"])
def test_each_aria_description_exists_exactly_once(data: dict[str, Any] | None) -> None:
    page = Elements(str(JointForm(data)))

    described = [
        id_ for _, attrs in page.found for id_ in (attrs.get("aria-describedby") or "").split()
    ]
    assert "id_name_helptext" in described
    assert "id_glue_helptext" in described
    if data is not None:
        assert {"id_name_error", "id_glue_error", "id_made_error"} <= set(described)
    assert all(page.ids().count(id_) == 1 for id_ in described)


def test_ids_are_unique_and_labels_refer_to_fields() -> None:
    page = Elements(str(JointForm({})))

    assert len(page.ids()) == len(set(page.ids()))
    targets = [attrs["for"] for tag, attrs in page.found if tag == "label" and "for" in attrs]
    assert "id_name" in targets
    assert set(targets) <= set(page.ids())


def test_first_invalid_field_gets_focus() -> None:
    page = Elements(str(JointForm({"name": "Tail"})))

    focused = [attrs["name"] for _, attrs in page.found if "autofocus" in attrs]
    assert focused == ["notes"]


def test_form_without_errors_does_not_take_focus() -> None:
    assert "autofocus" not in str(JointForm())


def test_summary_gets_focus_if_the_form_has_non_field_errors() -> None:
    class StrictForm(forms.Form):
        name = forms.CharField()

        def clean(self) -> None:
            raise forms.ValidationError("These two do not fit.")

    form = StrictForm({})
    page = Elements(str(form))

    (summary,) = [attrs for _, attrs in page.found if attrs.get("role") == "alert"]
    assert summary["tabindex"] == "-1"
    assert "autofocus" in summary
    assert "autofocus" not in page.named("name")[0]
    assert "These two do not fit." in str(form)


def test_summary_links_to_each_invalid_field() -> None:
    page = Elements(str(JointForm({})))

    links = [attrs["href"] or "" for tag, attrs in page.found if tag == "a"]
    assert {"#id_name", "#id_glue_fieldset", "#id_made_fieldset"} <= set(links)
    assert {link.removeprefix("#") for link in links} <= set(page.ids())


def test_form_with_one_invalid_field_has_no_summary() -> None:
    class ShortForm(forms.Form):
        name = forms.CharField()

    assert 'role="alert"' not in str(ShortForm({}))


def test_only_optional_fields_are_labeled_optional() -> None:
    page = str(JointForm())

    optional = re.findall(r"(\w+) <span[^>]*>\(optional\)", page)
    assert optional == ["Email", "Tools", "Drawing"]


def test_textarea_with_a_limit_has_a_character_count() -> None:
    page = Elements(str(JointForm()))

    counted = [attrs for _, attrs in page.found if attrs.get("data-controller")]
    assert [attrs["data-controller"] for attrs in counted] == ["character-count"]


def test_autocomplete_attribute_is_kept() -> None:
    class SignInForm(forms.Form):
        email = forms.EmailField(widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    assert Elements(str(SignInForm())).named("email")[0]["autocomplete"] == "email"


def test_stored_file_is_linked_and_can_be_removed() -> None:
    class Stored(SimpleUploadedFile):
        url = "/media/plan.png"

    page = Elements(str(JointForm(initial={"drawing": Stored("plan.png", b"")})))

    assert "/media/plan.png" in [attrs.get("href") for _, attrs in page.found]
    assert page.named("drawing-clear")[0]["type"] == "checkbox"


def test_user_input_is_escaped() -> None:
    page = str(JointForm({"name": "<b>", "email": "<script>"}))

    assert "<script>" not in page
    assert 'value="&lt;b&gt;"' in page


@pytest.mark.parametrize(
    ("widget", "expected"),
    [
        (forms.ColorInput(), "input"),
        (forms.NullBooleanSelect(), "select"),
        (forms.ClearableFileInput(), "file-input"),
        (forms.MultipleHiddenInput(), ""),
        (forms.Widget(), ""),
    ],
)
def test_component_of_less_common_widgets(widget: forms.Widget, expected: str) -> None:
    assert component(widget) == expected
