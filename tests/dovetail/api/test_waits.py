from datetime import timedelta

from rest_framework.test import APIRequestFactory

from dovetail.api.problems import exception_handler
from dovetail.api.waits import Busy, TooMany


def test_refusals_say_when_to_try_again() -> None:
    context = {"request": APIRequestFactory().get("/"), "view": None}

    many = exception_handler(TooMany("Too many.", timedelta(seconds=9, milliseconds=1)), context)
    busy = exception_handler(Busy("Busy."), context)

    assert many is not None
    assert (many.status_code, many["Retry-After"]) == (429, "10")
    assert (many.data["code"], many.data["detail"]) == ("flood", "Too many.")
    assert busy is not None
    assert (busy.status_code, busy["Retry-After"], busy.data["code"]) == (503, "5", "busy")
