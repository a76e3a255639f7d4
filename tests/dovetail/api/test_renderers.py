from decimal import Decimal

import pytest
from django.utils.translation import gettext_lazy

from dovetail.api.renderers import JSONRenderer


def test_what_a_serializer_returns_is_rendered() -> None:
    data = {"text": "é\u2028", "lazy": gettext_lazy("yes"), "price": Decimal("0.10"), "no": None}
    expected = '{"text":"é\u2028","lazy":"yes","price":"0.10","no":null}'
    assert JSONRenderer().render(data).decode() == expected
    assert JSONRenderer().render(None) == b""


def test_what_has_no_form_in_json_is_an_error() -> None:
    with pytest.raises(TypeError, match="JSON"):
        JSONRenderer().render({"values": {1}})
