"""What clients see while processes of the web server stop, die and are replaced."""

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.cable.servers import wait_until
from tests.cable.websocket import RawSocket
from tests.faults.conftest import HOST, PROXIED, Site
from tests.faults.urls import LINES
from tests.production.test_production import noise
from tests.stack.stack import descendants

KB = 1024


def workers(site: Site) -> set[int]:
    """Return the processes that serve, which listen on the port."""
    return descendants(site.web.process.pid) - {site.web.process.pid}


def test_stop_lets_what_is_on_its_way_finish(site: Site, tmp_path: Path) -> None:
    """Expected: a request of 6 s, an upload and both kinds of streams end as they would have."""
    with (
        site.another_web(tmp_path / "web.log") as own,
        ThreadPoolExecutor() as pool,
    ):
        began = threading.Event()

        def upload() -> int:
            def chunks() -> Iterator[bytes]:
                for _ in range(20):
                    yield b"x" * KB
                    began.set()
                    time.sleep(0.1)  # a slow line

            return requests.post(
                f"http://127.0.0.1:{own.web.port}/articles/",
                data=chunks(),
                headers=PROXIED,
                timeout=60,
            ).status_code

        slow = pool.submit(own.get, "/faults/slow/?seconds=6")
        streams = [
            pool.submit(own.get, path) for path in ("/faults/lines/", "/faults/async-lines/")
        ]
        uploaded = pool.submit(upload)
        assert began.wait(20)
        own.web.process.terminate()

        assert slow.result(60).text == "done"
        for stream in streams:
            assert stream.result(60).text.count("line ") == LINES
        assert uploaded.result(60) in {403, 405}  # a visitor's, and answered, not broken off
        assert own.web.process.wait(60) == 0


def test_stop_tells_sockets_to_come_back(site: Site, tmp_path: Path) -> None:
    headers = {"host": HOST, "origin": f"https://{HOST}", "x-forwarded-proto": "https"}
    with site.another_web(tmp_path / "web.log") as own:
        socket = RawSocket(f"http://127.0.0.1:{own.web.port}", headers=headers)
        assert socket.receive() == {"type": "welcome"}
        own.web.process.terminate()

        assert socket.receive() == {
            "type": "disconnect",
            "reason": "server_restart",
            "reconnect": True,
        }
        socket.close()
        own.web.process.wait(60)


def test_worker_that_is_killed_is_replaced(site: Site, tmp_path: Path) -> None:
    """Expected: what it was doing fails; the others and a new one answer all else."""
    with site.another_web(tmp_path / "web.log") as own:
        before = workers(own)
        victim = max(before)
        with own.load("/faults/text/", connections=8) as outcome:
            wait_until(lambda: outcome.answers, "answers")
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(workers(own) - before) > 0, "another worker")
            wait_until(lambda: own.get("/faults/text/").status_code == 200, "an answer")

        assert outcome.answers
        assert outcome.failures <= 8
        with own.load("/faults/text/") as after:
            wait_until(lambda: after.answers, "answers")
        assert after.failures == 0


def test_full_disk_is_an_error_in_words(site: Site, tmp_path: Path) -> None:
    """Expected: the picture is refused in words, nothing of it stays, and the site goes on.

    A limit of the size of files stands in for the full disk: Python raises the same exception.
    """
    data = tmp_path / "data"
    with site.visited(tmp_path, DATA_DIR=str(data)) as (own, visitor):
        visitor.sign_in()
        for pid in descendants(own.web.process.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (20 * KB, 20 * KB))

        answer = visitor.submit(
            "/people/me/edit/",
            {"display_name": "Ada of Disks", "biography": ""},
            {"avatar": ("ada.png", noise(400 * KB), "image/png")},
        )

        assert answer.status_code == 422
        assert "be stored right now" in answer.text
        assert not [file for file in data.rglob("*") if file.is_file() and "avatars" in str(file)]
        assert visitor.page("/").status_code == 200
