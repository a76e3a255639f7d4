"""The input of an image, which shows a file that was sent before its form."""

from typing import Any

from django import forms
from django.conf import settings

SUFFIX = "-upload"  # of the name of the box with the upload's id


class SentBefore:
    """A file that was sent before its form; see `dovetail.media.direct`.

    Attributes:
        id: of its upload; empty if there is none.
    """

    id: str
    name: str | None

    def fetch(self) -> None:
        """Make the content available to `read`.

        Raises:
            ValidationError: it is not.
        """
        raise NotImplementedError


class ImageInput(forms.ClearableFileInput):
    """A file input that a Stimulus controller turns into one with a direct upload.

    Attributes:
        begin_url: where a direct upload begins; empty if the form's view takes none.
    """

    template_name = "forms/image_input.html"
    begin_url = ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        sent = value if isinstance(value, SentBefore) and value.id else None
        if self.begin_url:
            shown = context["widget"]["attrs"]
            described = f"{shown.get('aria-describedby', '')} {shown.get('id', name)}_upload_error"
            context["widget"]["attrs"] |= {
                "aria-describedby": described.strip(),
                "data-upload-target": "input",
                "data-action": "upload#start",
            }
        context["widget"] |= {
            "begin_url": self.begin_url,
            "largest": settings.IMAGE_MAX_BYTES,
            "upload_name": f"{name}{SUFFIX}",
            "upload": sent,
        }
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return a file that was chosen. It replaces the one before, even if that is to go."""
        chosen = forms.FileInput.value_from_datadict(self, data, files, name)
        return chosen or super().value_from_datadict(data, files, name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        omitted = super().value_omitted_from_data(data, files, name)
        return bool(omitted and f"{name}{SUFFIX}" not in data)
