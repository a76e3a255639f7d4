"""The cache for computed values, as `MEMCACHED_URL` configures it, on a real memcached."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pymemcache import Client
from pytest_django.fixtures import Settings as DjangoSettings

from config import env
from dovetail.cache.memcached import MemcachedCache
from dovetail.cache.values import UnsupportedValue
from dovetail.http.health import check_cache
from tests.cable.servers import wait_until
from tests.dovetail.cache.planted import garbage

Settings = Callable[[str], ModuleType]
SECONDS = 0.2  # until a dead server is asked again, here


class Memcached:
    """A memcached that listens on a Unix socket."""

    def __init__(self, program: str, socket: Path) -> None:
        self.socket = socket
        self.command = [program, "-s", str(socket), "-u", getpass.getuser(), "-m", "8"]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)
        wait_until(self.socket.exists, "memcached has not started")

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # until all of its threads have stopped

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)


def unavailable(server: Memcached) -> str:
    return f"The cache is unavailable; continuing without it: memcached at {server.socket}"


@pytest.fixture
def memcached() -> Iterator[Memcached]:
    program = shutil.which("memcached")
    if program is None:
        pytest.skip("memcached is not installed; on Debian, `apt-get install memcached`")
    # The folders of pytest may be too long for the path of a socket: 104 characters on macOS.
    with TemporaryDirectory() as folder:
        server = Memcached(program, Path(folder) / "memcached.sock")
        yield server
        server.stop()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a function that reads the settings of the caches with a `MEMCACHED_URL`."""

    def load(url: str) -> ModuleType:
        monkeypatch.setenv("MEMCACHED_URL", url)
        name = "config.settings.parts.cache"
        monkeypatch.delitem(sys.modules, name, raising=False)
        return __import__(name, fromlist=["CACHES"])

    return load


@pytest.fixture
def computed(memcached: Memcached, load: Settings) -> Iterator[MemcachedCache]:
    """Return the cache as configured, but for a shorter time until a dead server is asked again."""
    entry: dict[str, Any] = load(f"memcached://{memcached.socket}").CACHES["computed"]
    options = entry["OPTIONS"] | {"dead_timeout": SECONDS, "retry_timeout": SECONDS}
    cache = MemcachedCache(entry["LOCATION"], entry | {"OPTIONS": options})
    yield cache
    cache.close()


def test_computed_values_are_stored_in_memcached(computed: MemcachedCache) -> None:
    computed.set("a", {"b": [1, None, "é"]})
    computed.set_many({"c": 2, "d": 3})

    assert computed.get("a") == {"b": [1, None, "é"]}
    assert computed.get_many(["c", "d", "e"]) == {"c": 2, "d": 3}
    assert computed.incr("c") == 3
    assert not computed.add("c", 0)
    assert computed.delete("c")
    assert computed.get("c", "fallback") == "fallback"


def test_types_are_kept_and_others_refused(computed: MemcachedCache) -> None:
    """Kind: an error that the client ignores, as it does while it sends."""
    computed.set("a", ("tuple", {1}))
    computed.set("b", None)

    assert computed.get("a") == ("tuple", {1})
    assert computed.get("b", "fallback") is None
    for store in (computed.set, computed.add):
        with pytest.raises(UnsupportedValue):
            store("c", object())
    with pytest.raises(UnsupportedValue):
        computed.set_many({"c": object()})


def test_what_this_site_has_not_stored_is_missing(
    memcached: Memcached, computed: MemcachedCache, tmp_path: Path
) -> None:
    """Kind: a pickle that runs code, and other data that a stranger or an earlier release left."""
    file = tmp_path / "created"
    key = computed.make_key("key")
    stranger = Client(str(memcached.socket), default_noreply=False)

    for data in garbage(file):
        for flags in range(32):  # 1 is pymemcache's for a pickle
            stranger.set(key, data, flags=flags)
            assert computed.get("key", "fallback") == "fallback", data
        stranger.set(key, data, flags=1)
        assert computed.get_many(["key"]) == {}
        stranger.set(key, data, flags=1)
        assert computed.get_or_set("key", [1]) == [1]
        assert computed.get("key") == [1]

    stranger.close()
    assert not file.exists()


@pytest.mark.timeout(120)
def test_values_are_missing_while_the_server_hangs_and_return_afterwards(
    memcached: Memcached, computed: MemcachedCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a cache that takes the page down with it. Without timeouts, this would never end."""
    computed.set("a", 1)

    memcached.hang()
    assert computed.get("a", "fallback") == "fallback"
    assert computed.get_many(["a"]) == {}
    computed.set("b", 2)
    assert computed.get_or_set("c", lambda: 3) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"{unavailable(memcached)}: timed out"
    ]
    memcached.process.send_signal(signal.SIGCONT)

    wait_until(lambda: computed.get("a") == 1, "memcached is not used again")


@pytest.mark.timeout(120)
def test_server_is_used_again_after_it_was_down(
    memcached: Memcached, computed: MemcachedCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: an outage that a client hides, so that the site is slow and no log says why."""
    computed.set("a", 1)

    memcached.stop()
    assert computed.get("a", "fallback") == "fallback"
    assert computed.get_or_set("c", lambda: 3) == 3
    assert not computed.delete("a")
    (record,) = caplog.records
    assert record.getMessage().startswith(unavailable(memcached))
    memcached.start()

    def works() -> bool:
        computed.set("a", 2)
        return bool(computed.get("a") == 2)

    wait_until(works, "memcached is not used again")


def test_readiness_reports_a_memcached_that_is_away(
    memcached: Memcached, load: Settings, settings: DjangoSettings
) -> None:
    """Kind: an error that a client swallows, so that its check cannot fail."""
    url = f"memcached://{memcached.socket}"
    settings.CACHES = settings.CACHES | {"computed": load(url).CACHES["computed"]}
    check_cache()

    memcached.stop()
    with pytest.raises(ConnectionError, match="memcached does not keep"):
        check_cache()


def test_url_without_the_extra_is_refused_in_one_sentence(
    load: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: an optional package that is missed at the first use instead of at the start."""
    monkeypatch.setitem(sys.modules, "pymemcache", None)

    with pytest.raises(ImproperlyConfigured) as raised:
        load("memcached://127.0.0.1:11211")

    sentence = str(raised.value)
    assert "MEMCACHED_URL" in sentence
    assert "`uv sync --extra memcached`" in sentence
    assert "\n" not in sentence


def test_site_without_memcached_needs_no_client(
    load: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymemcache", None)

    caches = load("").CACHES

    assert caches["computed"] == caches["default"]


def test_client_of_memcached_is_no_hard_dependency() -> None:
    """Kind: an unmaintained package that everyone installs for a server that few have."""
    manifest = tomllib.loads((env.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    hard = manifest["project"]["dependencies"]

    assert [one for one in hard if "memcache" in one or "libmc" in one] == []
    assert manifest["project"]["optional-dependencies"]["memcached"]
