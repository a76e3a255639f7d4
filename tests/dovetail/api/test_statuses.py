import pytest

from dovetail.api.statuses import code, phrase


@pytest.mark.parametrize(
    ("status", "name", "short"),
    [
        (404, "Not Found", "not_found"),
        (413, "Content Too Large", "content_too_large"),
        (422, "Unprocessable Content", "unprocessable_content"),
    ],
)
def test_names_are_the_same_on_every_python(status: int, name: str, short: str) -> None:
    """Kind: a code that clients compare, and that an upgrade of Python changes."""
    assert (phrase(status), code(status)) == (name, short)
