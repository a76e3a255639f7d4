from types import SimpleNamespace

import pytest

from dovetail.cache import outages


def test_unavailable_server_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, warnings in ((0, 1), (59, 1), (60, 2), (61, 2)):
        clock = SimpleNamespace(monotonic=lambda now=seconds: float(now))
        monkeypatch.setattr(outages, "time", clock)
        for _ in range(3):
            outages.report("redis://:secret@once-a-minute", ConnectionError("refused"))
        assert len(caplog.records) == warnings

    assert "refused" in caplog.text
    assert "secret" not in caplog.text


def test_each_server_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    for server in ("one", "two"):
        outages.report(f"redis://each-server-{server}", ConnectionError(server))

    assert len(caplog.records) == 2
