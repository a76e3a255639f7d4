import pytest

from dovetail.cache.urls import client_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("valkey://valkey:6379/0", "redis://valkey:6379/0"),
        ("valkeys://valkeys/0", "rediss://valkeys/0"),
        ("redis://:valkey@valkey/0?client_name=valkey", None),
        ("unix:///run/valkey/valkey.sock?db=1", None),
    ],
)
def test_only_the_scheme_is_changed(url: str, expected: str | None) -> None:
    """Kind: text replacement on a whole URL."""
    assert client_url(url) == (expected or url)
