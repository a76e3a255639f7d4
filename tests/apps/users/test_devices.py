import pytest

from apps.users.devices import describe

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
PHONE += "(KHTML, like Gecko) "
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (WINDOWS + "Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (WINDOWS + "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (MAC + "Version/18.0 Safari/605.1.15", "Safari on macOS"),
        (PHONE + "Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (PHONE + "CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (ANDROID + "Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        ("curl/8.0", "curl"),
        ("Joiner/2.1 (iPhone; iOS 18.0)", "Joiner on iPhone"),
        ("Mozilla/5.0", "Unknown browser"),
        (f"{'x' * 31}/1", "Unknown browser"),
        ("<b>/1", "Unknown browser"),
        ("", "Unknown browser"),
        ("<script>alert(1)</script>", "Unknown browser"),
    ],
)
def test_browser_and_system_are_named(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words
