"""Text of one line: names and titles, which a mail or a log must show as such.

Browsers send no line breaks from an `<input>`, but others do, and so do spreadsheets and identity
providers. A name with line breaks could write paragraphs into mail to others, and one with marks
that change the direction of writing could show something else than it is.
"""

import re

from django.core.validators import RegexValidator

# Control characters, the separators of Unicode, and the marks for embedding and overriding the
# direction of writing (Unicode Standard Annex 9), except those that only hint at it.
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_controls = re.compile(f"[{CONTROL}]+")

# With a pattern, which the schema of the API shows.
validate_line = RegexValidator(
    rf"\A[^{CONTROL}]*\Z",
    "Write it in one line, without line breaks and other control characters.",
    "not_a_line",
)


def as_line(text: str) -> str:
    """Return a text in one line, with single spaces."""
    return " ".join(_controls.sub(" ", text).split())
