"""`manage.py serve` as a process: it stops, and replaces its workers, without failing a request."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from dovetail.http.closing import SIGNAL as RETIRE
from dovetail.serving.server import Wakeups
from tests.dovetail.serving.servers import LIMIT, WORKERS, Serve

pytestmark = pytest.mark.xdist_group("waits")
MANY = pytest.mark.long("sends 10,000 requests")
MORE = pytest.mark.long("starts another server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serve]:
    server = Serve(tmp_path)
    try:
        server.wait_until_started()
        yield server
    finally:
        server.end()


def begin(client: HTTPConnection, path: str) -> None:
    client.request("GET", path)


def test_stopping_server_finishes_what_it_has_begun(server: Serve) -> None:
    """Kind: errors in each deployment, because the load balancer was not told first."""
    with ExitStack() as clients:
        slow, stream, upload = (clients.enter_context(closing(server.connect())) for _ in range(3))
        slow.request("GET", "/slow/")
        stream.request("GET", "/stream/")
        streamed = clients.enter_context(stream.getresponse())
        assert streamed.read(6) == b"first,"
        upload.putrequest("POST", "/upload/")
        upload.putheader("Content-Length", "10")
        upload.endheaders(b"12345")
        server.wait_for(server.begun.exists)

        server.begin_to_stop()

        server.wait_for(lambda: server.get("/readyz")[0] == 503)
        assert server.get("/quick/")[0] == 200  # the load balancer may not have noticed yet
        server.stop()
        server.wait_for(lambda: server.says("Stopping worker") == WORKERS)
        with pytest.raises(ConnectionRefusedError):
            server.get("/quick/")
        assert not server.has_ended()
        upload.send(b"67890")
        server.released.touch()
        assert upload.getresponse().read() == b"10"
        assert slow.getresponse().read() == b"done"
        assert streamed.read() == b"last"
    assert server.process.wait(LIMIT) == 0
    logged = {line["path"]: line for line in server.lines() if line["logger"] == "dovetail.access"}
    assert logged["/slow/"]["status"] == 200
    assert logged["/slow/"]["duration_ms"] > logged["/quick/"]["duration_ms"]  # which it outlasted


class Visitors:
    """Four clients that ask for a page again and again.

    Attributes:
        answers: the number of answers by their status, and of failures by what they were.
        workers: the processes that have answered.
    """

    def __init__(self, server: Serve, *, keep_alive: bool, pause: float = 0) -> None:
        """Let them begin.

        Args:
            server: whom they ask.
            keep_alive: whether each keeps its connection.
            pause: in seconds, after each answer.
        """
        self.answers: Counter[object] = Counter()
        self.workers: set[bytes] = set()
        self._server = server
        self._headers = {} if keep_alive else {"Connection": "close"}
        self._pause = pause
        self._may_end = threading.Event()
        self._least = 0
        self._threads = [threading.Thread(target=self._visit) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _visit(self) -> None:
        client = self._server.connect()
        while not (self._may_end.wait(self._pause) and self.answers.total() >= self._least):
            try:
                client.request("GET", "/quick/", headers=self._headers)
                answer = client.getresponse()
                self.workers.add(answer.read())
                self.answers[answer.status] += 1
            except (OSError, HTTPException) as error:
                self.answers[repr(error)] += 1
                client.close()
        client.close()

    def wait_until_replaced(self, *, limit: float = LIMIT) -> None:
        """Wait until all workers have ended, and one of the new ones has answered."""
        server = self._server
        server.wait_for(lambda: server.says("Stopped old worker") >= WORKERS, limit)
        self.workers.clear()
        server.wait_for(lambda: self.workers)

    def end(self, least: int) -> None:
        """Let them end when all of them together have so many answers."""
        self._least = least
        self._may_end.set()
        for thread in self._threads:
            thread.join(LIMIT * 5)


@pytest.mark.parametrize("keep_alive", [True, pytest.param(False, marks=MANY)])
@pytest.mark.parametrize("requests", [200, pytest.param(10_000, marks=MANY)])
def test_replaced_workers_fail_no_request(server: Serve, keep_alive: bool, requests: int) -> None:
    """Kind: connections that wait in the queue of a worker that stops, and are reset."""
    visitors = Visitors(server, keep_alive=keep_alive)
    try:
        server.wait_for(lambda: visitors.answers.total() >= 50)
        server.process.send_signal(signal.SIGHUP)
        visitors.wait_until_replaced()
    finally:
        visitors.end(requests)

    assert set(visitors.answers) == {200}, visitors.answers
    assert visitors.answers.total() >= requests
    assert not server.says('"ERROR"')


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=MORE)])
def test_worker_that_dies_while_workers_are_replaced_ends_no_others(
    server: Serve, number: int
) -> None:
    """Kind: one worker killed for its memory, and the whole site is gone."""
    victim = server.workers()[number]
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: server.says("Replacing worker-1"))

    os.kill(victim, signal.SIGKILL)

    server.wait_for(lambda: server.says("Stopped old worker") == WORKERS)
    assert sum(map(is_running, server.workers())) == WORKERS
    for _ in range(20):
        assert server.get("/quick/")[0] == 200
    assert not server.has_ended()
    # Its loop waits, instead of looking at the same death again and again.
    server.wait_for(lambda: all(is_asleep(server.process.pid) for _ in range(20)))


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def is_asleep(pid: int) -> bool:
    """Return whether a process waits for something."""
    return state(pid) == "S"


def state(pid: int) -> str:
    """Return what a process does, as proc_pid_stat(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def open_files(server: Serve) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@MORE
def test_worker_that_starts_can_be_stopped(server: Serve) -> None:
    """Kind: a signal that came before the worker handled it, and was forgotten."""
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: len(server.workers()) > WORKERS)
    starting = server.workers()[WORKERS]

    os.kill(starting, signal.SIGTERM)

    server.wait_for(lambda: not is_running(starting))
    server.wait_for(lambda: server.says("Spawning worker-1") == 3)  # its successor's
    assert not server.has_ended()


def test_server_that_replaces_workers_stops_at_once(server: Serve) -> None:
    """Kind: a stop that waits for slow requests one worker after the other, until it is killed."""
    with ExitStack() as clients:
        slow = [clients.enter_context(closing(server.connect())) for _ in range(6)]  # on both
        for client in slow:
            client.request("GET", "/slow/")
        server.wait_for(server.begun.exists)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.says("Stopping old worker"))

        server.begin_to_stop()

        server.wait_for(lambda: server.get("/readyz")[0] == 503)
        server.stop()
        server.released.touch()
        assert {client.getresponse().read() for client in slow} == {b"done"}
    assert server.process.wait(LIMIT) == 0
    assert not server.says('"ERROR"')


def test_drain_ends_with_a_second_signal_only(server: Serve) -> None:
    """Kind: a drain that a look at the memory cuts short, or SIGHUP."""
    server.begin_to_stop()
    server.wait_for(lambda: server.get("/readyz")[0] == 503)

    server.process.send_signal(signal.SIGHUP)

    for _ in range(100):
        assert server.get("/quick/")[0] == 200
    assert not server.says("Shutting down")
    server.stop()
    assert server.process.wait(LIMIT) == 0


@MORE
def test_drain_ends_when_its_time_is_up(tmp_path: Path) -> None:
    server = Serve(tmp_path, DRAIN="1")
    try:
        server.wait_until_started()
        server.begin_to_stop()
        assert server.process.wait(LIMIT) == 0
    finally:
        server.end()


@pytest.mark.long("waits for three looks at the memory, 30 seconds apart")
def test_workers_with_too_much_memory_are_replaced(tmp_path: Path) -> None:
    """Kind: a leak that ends with the container, and all requests in flight."""
    server = Serve(tmp_path, WEB_WORKER_MEMORY="1")  # MiB, which each worker has
    try:
        server.wait_until_started()
        visitors = Visitors(server, keep_alive=True, pause=0.02)
        try:
            visitors.wait_until_replaced(limit=300)
        finally:
            visitors.end(200)
    finally:
        server.end()

    assert set(visitors.answers) == {200}, visitors.answers


@MORE
def test_worker_that_dies_is_replaced(server: Serve) -> None:
    """Kind: a server with half of its workers, until someone looks."""
    os.kill(int(server.get("/quick/")[1]), signal.SIGKILL)

    server.wait_for(lambda: server.says("Started worker") > WORKERS)
    assert server.get("/quick/")[0] == 200


@MORE
def test_server_whose_worker_dies_again_and_again_ends(server: Serve) -> None:
    """Kind: a site that is down, while its container looks as if it ran."""

    def has_ended_after_a_kill() -> bool:
        with suppress(ProcessLookupError):
            os.kill(server.workers()[-1], signal.SIGKILL)
        return server.has_ended()

    server.wait_for(has_ended_after_a_kill)

    assert server.process.wait(LIMIT) == 1
    assert server.says("dies again and again")


@MORE
def test_worker_that_is_told_to_retire_while_it_starts_does(server: Serve) -> None:
    """Kind: a connection that is accepted a moment before the process ends, and cut."""
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for(lambda: len(server.workers()) > WORKERS)
    starting = server.workers()[WORKERS]

    os.kill(starting, RETIRE)

    server.wait_for(lambda: server.says("Started worker") > WORKERS)
    server.wait_for(lambda: all(int(server.get("/quick/")[1]) != starting for _ in range(40)))


@MORE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_for_a_server_that_is_frozen_is_not_lost(
    server: Serve, number: signal.Signals
) -> None:
    """Kind: a signal that another thread gets, while the one that handles it sleeps on."""
    server.process.send_signal(signal.SIGSTOP)
    server.wait_for(lambda: state(server.process.pid) == "T")
    server.process.send_signal(number)

    server.process.send_signal(signal.SIGCONT)

    server.wait_for(lambda: server.says("Stopping: "))


@MORE
def test_workers_that_are_told_to_end_are_no_crash(server: Serve) -> None:
    for count in (1, 2, 3):
        os.kill(server.workers()[-1], signal.SIGTERM)
        server.wait_for(lambda count=count: len(server.workers()) == WORKERS + count)  # type: ignore[misc]

    assert server.get("/quick/")[0] == 200
    assert not server.has_ended()


@MORE
def test_workers_end_with_a_server_that_is_killed(server: Serve) -> None:
    """Kind: old code that serves on, and a new server whose port is taken."""
    server.process.kill()
    server.process.wait()

    server.wait_for(lambda: not any(map(is_running, server.workers())))


def test_drain_ends_with_the_last_worker(server: Serve) -> None:
    """Kind: a signal for all processes, after which connections wait for an answer in vain."""
    for pid in server.workers():
        os.kill(pid, signal.SIGTERM)
    server.process.terminate()

    assert server.process.wait(LIMIT) == 0


@MORE
def test_worker_that_dies_beside_one_that_does_not_stop_is_replaced(server: Serve) -> None:
    """Kind: no answer while a worker ends, for as long as it may take."""
    with closing(server.connect()) as client:
        client.request("GET", "/slow/")
        server.wait_for(server.begun.exists)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.says("Stopping old worker"))

        os.kill(server.workers()[-1], signal.SIGKILL)

        server.wait_for(lambda: len(server.workers()) > WORKERS + 1)
        server.released.touch()
        assert client.getresponse().read() == b"done"


@MORE
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_server_survives_a_worker_that_cannot_be_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Kind: a limit of processes that is reached for a moment, and a server that hears nothing."""
    server = Serve(tmp_path, FORKS="2")
    try:
        server.wait_until_started()
        victim = server.process.pid if number == signal.SIGHUP else server.workers()[0]
        before = open_files(server)
        os.kill(victim, number)
        server.wait_for(lambda: server.says("cannot be started"))
        server.wait_for(lambda: open_files(server) <= before)  # each attempt opens some

        assert server.get("/quick/")[0] == 200
        server.begin_to_stop()
        server.wait_for(lambda: server.get("/readyz")[0] == 503)
        server.stop()
        assert server.process.wait(LIMIT) == 0
    finally:
        server.end()


@pytest.mark.parametrize("forks", ["0", pytest.param("1", marks=MORE)])
def test_server_that_cannot_start_its_workers_ends(tmp_path: Path, forks: str) -> None:
    """Kind: a process that serves nothing, and ends with SIGKILL only."""
    server = Serve(tmp_path, FORKS=forks)
    try:
        assert server.process.wait(LIMIT) == 1
        assert server.says("cannot be started: ")
        assert not any(map(is_running, server.workers()))
    finally:
        server.end()


@MORE
def test_server_without_workers_that_cannot_start_any_ends(tmp_path: Path) -> None:
    server = Serve(tmp_path, FORKS="2")
    try:
        server.wait_until_started()
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)

        assert server.process.wait(LIMIT) == 1
    finally:
        server.end()


@MORE
def test_server_drains_beside_a_worker_that_has_died(server: Serve) -> None:
    """Kind: no drain, and a status of failure, because a worker died at that moment."""
    os.kill(server.workers()[0], signal.SIGKILL)

    server.begin_to_stop()

    server.wait_for(lambda: server.get("/readyz")[0] == 503)
    server.stop()
    assert server.process.wait(LIMIT) == 0


@pytest.mark.parametrize("is_set", [True, False])
def test_wakeups_by_signals(is_set: bool) -> None:
    """Kind: a signal that comes while the loop has an event's lock, and stops it for good."""
    with closing(Wakeups()) as wakeups:
        before = signal.signal(signal.SIGALRM, lambda *_: wakeups.set() if is_set else None)
        try:
            wakeups.follow_signals()
            signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
            for _ in range(2_000):
                if is_set:
                    wakeups.set()
                wakeups.wait()
                wakeups.clear()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGALRM, before)


def test_wakeup_after_a_wait_that_is_longer_than_a_socket_takes() -> None:
    """Kind: a server that ends because WEB_WORKER_LIFETIME is a month."""
    with closing(Wakeups()) as wakeups:
        wakeups.set()
        wakeups.wait(999_999_999)


def test_port_that_is_taken_is_refused_in_one_sentence() -> None:
    """Kind: two servers on one port, each with half of the requests."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CommandError, match=rf"Cannot listen on 127\.0\.0\.1, port {port} \("):
            call_command("serve", port=port)


def test_port_of_the_metrics_is_refused(settings: Settings) -> None:
    settings.METRICS_PORT = 9464

    with pytest.raises(CommandError, match="METRICS_PORT is 9464, the site's own port"):
        call_command("serve", port=9464)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"port": 99_999}, "--port must be from 1 to 65535"),
        ({"port": -5}, "--port must be from 1 to 65535"),
        ({"workers": -1}, "--workers at most 512"),
        ({"workers": 100_000}, "--workers at most 512"),
        ({"host": ""}, "--host must not be empty"),
        ({"host": "no-such-host.invalid"}, r"Cannot listen on no-such-host.invalid: \w+"),
        ({"host": "192.0.2.1"}, "give an address of this machine"),
    ],
)
def test_wrong_option_is_refused_in_one_sentence(
    options: dict[str, str | int], expected: str
) -> None:
    with pytest.raises(CommandError, match=expected):
        call_command("serve", **{"port": 1, **options})


def test_signal_for_the_whole_group_lets_the_server_drain(server: Serve) -> None:
    """Kind: Ctrl-C and process managers, which tell the workers, too."""
    os.killpg(server.process.pid, signal.SIGTERM)

    server.wait_for(lambda: server.get("/readyz")[0] == 503)
    assert server.get("/quick/")[0] == 200
    server.stop()
    assert server.process.wait(LIMIT) == 0
    assert not server.says("Unexpected exit")
