import pytest
from pytest_django.fixtures import Settings

from dovetail.signed import sign, unsign


@pytest.mark.parametrize("data", [b"", b"data", b"\x80\x05N.", b"1" * 100_000])
def test_signed_data_comes_back(data: bytes) -> None:
    assert unsign("cache", "key", sign("cache", "key", data)) == data


@pytest.mark.parametrize("name", ["", "é", "\ud800", "key:1"])
def test_names_may_be_any_text(name: str) -> None:
    assert unsign("cache", name, sign("cache", name, b"data")) == b"data"


@pytest.mark.parametrize(
    ("purpose", "name"), [("cache", "other"), ("cable", "key"), ("cache", "ke"), ("cache", "key0")]
)
def test_signature_is_not_valid_elsewhere(purpose: str, name: str) -> None:
    """Kind: a value that an attacker copies, from their own session to that of someone else."""
    assert unsign(purpose, name, sign("cache", "key", b"data")) is None


def test_no_part_of_a_name_passes_for_data() -> None:
    signed = sign("cache", "ab", b"c")

    assert unsign("cache", "a", signed[:-1] + b"bc") is None


@pytest.mark.parametrize("position", [0, 1, 20, 32, 33, -1])
def test_changed_data_is_rejected(position: int) -> None:
    signed = bytearray(sign("cache", "key", b"some data"))
    signed[position] ^= 1

    assert unsign("cache", "key", bytes(signed)) is None


@pytest.mark.parametrize(
    "garbage", [b"", b"\x01", b"\x01" * 33, b"\x01" * 50, b"data", b"\x80\x05N."]
)
def test_unsigned_data_is_rejected(garbage: bytes) -> None:
    assert unsign("cache", "key", garbage) is None


def test_data_outlives_a_change_of_the_secret_key(settings: Settings) -> None:
    signed = sign("cache", "key", b"data")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert unsign("cache", "key", signed) == b"data"

    settings.SECRET_KEY_FALLBACKS = []
    assert unsign("cache", "key", signed) is None
