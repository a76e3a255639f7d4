"""Granian's server, with one socket for all workers, and a drain before it stops.

Own code for what Granian has no option for:

- On Linux, each worker of Granian listens on the port itself (SO_REUSEPORT). A second server on the
  port then starts without an error and gets half of the requests, and what waits in the queue of a
  worker that stops is reset. Here, as on other systems, all workers share one listening socket.
- It stops at once. A load balancer notices that only after requests have failed, so here `/readyz`
  answers 503 for some seconds first.
- A worker that is told to stop while it starts forgets it, and one whose server was killed goes on.
- While it replaces workers, it does not notice that it is to stop itself, nor that others have
  died, and takes the death of a worker that it replaces for a crash of the application, which ends
  all of them.
- Its loop waits for a threading.Event, which its signal handlers set. Such an event has a lock: a
  signal that arrives while the loop has it stops the server for good. So does a process that the
  system refuses to start.

The application is loaded before the workers are forked from this process, so that they share the
memory of its code and start within milliseconds.
"""

import ctypes
import gc
import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.conf import settings
from django.db import connections
from django.urls import get_resolver
from django.utils.module_loading import import_string
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer as Granian, WorkerProcess

from dovetail.cache.release import release
from dovetail.http import closing, health
from dovetail.serving.plan import Plan

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # prctl(2)
FORKS = sys.platform == "linux"
BACKLOG = 1024  # connections that wait to be accepted
HEADERS = 64 * 1024  # bytes of all headers of a request
RESTART_DELAY = 1.0  # seconds in which a new worker starts before the old one stops
DAY = 24 * 3600  # seconds
POLL = 0.05  # seconds between looks at a worker that ends
CRASH_LOOP = 5.5  # seconds within which the successor of a dead worker may not die, as in Granian
RETRY = 10.0  # seconds after which a worker is started that the system had no room for
MEMORY_SAMPLES = 3  # in a row, 30 s apart: decoding a picture is no reason to replace a worker
# All go to the handlers of LOGGING.
LOGGERS = {name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")}


def load_application() -> Any:
    return import_string(settings.ASGI_APPLICATION)


def load_in_worker() -> Any:
    """Return the application.

    In a process group of its own: a signal for the whole group, such as that of Ctrl-C, is for the
    server, which lets its workers finish first. If the server is killed, the system tells them.
    """
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)  # the server's
    if FORKS:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        server = multiprocessing.parent_process()
        if server and os.getppid() != server.pid:
            sys.exit("The server has ended")
    return load_application()


def preload() -> None:
    """Load all code, so that workers that are forked from this process share it."""
    load_application()
    _ = get_resolver().url_patterns  # imports the views
    release()  # reads all code, once instead of in each worker
    for connection in connections.all(initialized_only=True):
        # Workers would inherit it, and read each other's answers.
        connection.close()
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()
    gc.collect()
    gc.freeze()  # a collection would write to each object, and so copy it


def listen(host: str, port: int) -> socket.socket:
    """Take a port, which no other program can have then.

    Args:
        host: the address to listen on.
        port: the TCP port.

    Raises:
        OSError: another program listens on it, or the address is none of this machine's.
        gaierror: the name of the host has no address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.getaddrinfo(host, port, family)  # for its error, which the next line would hide
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


class Wakeups:
    """Wakes the server's loop, also after a signal that the system gave to another thread.

    Has what Granian uses of a threading.Event, without a lock.
    """

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)

    def follow_signals(self) -> None:
        """End `wait` after each signal that has a handler."""
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def set(self) -> None:
        """End a call of `wait`: the one that waits, or the next."""
        with suppress(BlockingIOError):  # it is set many times over
            self._write.send(b"\0")

    def wait(self, timeout: float | None = None) -> None:
        """Wait until `set` was called since this has ended, or so many seconds.

        Or for a day, since no socket waits for 25 of them: whoever waits for something looks then.
        """
        self._read.settimeout(timeout if timeout is None else min(timeout, DAY))
        with suppress(TimeoutError, BlockingIOError):
            self._read.recv(4096)

    def clear(self) -> None:
        """Do nothing: what was set since the last `wait` has to be looked at."""

    def close(self) -> None:
        self._read.close()
        self._write.close()


class Server(Granian):
    """Serves the project's ASGI application."""

    def __init__(self, plan: Plan, listener: socket.socket) -> None:
        """Create the server.

        Args:
            plan: the number of processes and what they may use.
            listener: the socket to accept connections from, which the server closes.
        """
        host, port = listener.getsockname()[:2]
        super().__init__(
            ":".join(settings.ASGI_APPLICATION.rsplit(".", 1)),
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            workers=plan.workers,
            backlog=BACKLOG,
            backpressure=plan.connections,
            # Only HTTP/1: otherwise Granian waits without a limit for a connection's first bytes.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=settings.WEB_HEADER_TIMEOUT * 1000, max_buffer_size=HEADERS
            ),
            log_dictconfig={"loggers": LOGGERS},
            ssl_cert=settings.WEB_TLS_CERTIFICATE,
            ssl_key=settings.WEB_TLS_KEY,
            respawn_interval=RESTART_DELAY,
            rss_samples=MEMORY_SAMPLES,
            workers_kill_timeout=settings.WEB_STOP_SECONDS,
        )
        self.plan = plan
        self.listener = listener
        self._wakeups = Wakeups()
        self.main_loop_interrupt = self._wakeups  # type: ignore[assignment]
        self._replaced: list[WorkerProcess] = []  # workers that had not ended when it was to stop
        self._dead: set[int] = set()  # the indices of workers that have no successor
        self._revived: dict[int, float] = {}  # when a dead worker was replaced, by its index
        self._retry_at = 0.0  # when to try to start them again, if it has failed
        self._look_at_age_at = self._look_at_memory_at = math.inf
        self._is_stopping = self._gave_up = False

    def run(self) -> None:
        """Serve until a signal ends it."""
        if not FORKS:
            self.listener.close()  # Granian opens its own
        else:
            multiprocessing.set_start_method("fork", force=True)  # the default until Python 3.13
            preload()
        # Until the server and its workers can handle them; by default, they end a process.
        for number in (health.DRAIN_SIGNAL, closing.SIGNAL, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._wakeups.follow_signals()
        self.serve(target_loader=load_in_worker, wrap_loader=False)

    def startup(self, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        # Not in the constructor: Granian would warn of connections that a shared socket keeps.
        self.workers_lifetime = self.plan.lifetime or None
        self.workers_rss = self.plan.memory * 1024 * 1024 or None
        self._spawned = {"target": spawn_target, "callback_loader": target_loader}
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        if not FORKS:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        self._sso = None
        holder: Any = SocketHolder  # whose arguments its types do not know
        self._shd = holder(self.listener.fileno(), False, BACKLOG)

    def _drop_shared_socket(self) -> None:
        # Otherwise, connections would wait in its queue until the last request has ended.
        if FORKS:
            self.listener.close()
        else:
            super()._drop_shared_socket()  # type: ignore[no-untyped-call]

    def shutdown(self, exit_code: int = 0) -> None:
        self._is_stopping = True
        self.wrks += self._replaced
        for worker in self.wrks:
            worker.interrupt_by_parent = True  # if it ends now, it is no error
        if settings.WEB_DRAIN_SECONDS and not self._gave_up:
            self._drain()
        with suppress(SystemExit):  # a worker that has died just before is no failure of all
            super().shutdown()  # type: ignore[no-untyped-call]
        if self._gave_up or exit_code:
            sys.exit(exit_code or 1)

    def _drain(self) -> None:
        """Let the workers say that they are not ready.

        Until the time is up, a second signal, or there is none left, such as after a signal for all
        processes: then nobody would answer.
        """
        self.interrupt_signal = False  # before it says so: the answer may be a second signal
        logger.info(
            "Stopping: /readyz answers 503 for %g s, then the requests in flight have %g s to end",
            settings.WEB_DRAIN_SECONDS,
            settings.WEB_STOP_SECONDS,
        )
        for worker in self.wrks:
            _tell(worker, health.DRAIN_SIGNAL)
        self._wait_for(lambda: not any(map(_is_alive, self.wrks)), settings.WEB_DRAIN_SECONDS)

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so, the time is up, or the server is to stop.

        It looks again and again, because nothing tells of all three: what wakes the loop may also
        be a look at the memory, or SIGHUP. Workers that die meanwhile are replaced.
        """
        deadline = time.monotonic() + seconds
        while not (self.interrupt_signal or condition()) and time.monotonic() < deadline:
            self._revive_dead()
            time.sleep(POLL)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Replace workers until the server is to stop."""
        try:
            while not self.interrupt_signal:
                self._wakeups.wait(self._time_to_look())
                self._replace(spawn_target, target_loader)
        except Exception:  # otherwise, it would neither serve nor end
            logger.exception("The server stops, because it has failed")
            self._gave_up = True

    def _time_to_look(self) -> float | None:
        """Return the seconds until something is due. No thread waits for it: there may be none."""
        due = min(self._look_at_age_at, self._look_at_memory_at)
        if self._dead:
            due = min(due, self._retry_at)
        return None if due == math.inf else max(0, due - time.monotonic())

    def _watch_workers_lifetime(self, ttl: float) -> None:
        self._look_at_age_at = time.monotonic() + ttl

    def _watch_workers_rss(self) -> None:
        self._look_at_memory_at = time.monotonic() + self.rss_sample_interval

    def _replace(self, spawn_target: Any, target_loader: Any) -> None:
        """Replace the workers that have died, are too old or too large, or all after SIGHUP."""
        self._revive_dead()
        if self.interrupt_signal:
            return
        if self.reload_signal:
            self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        if time.monotonic() >= self._look_at_age_at:
            self._replace_aged()
        if time.monotonic() >= self._look_at_memory_at:
            self._handle_rss_signal(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            self._watch_workers_rss()

    def _revive_dead(self) -> None:
        """Start a successor of each worker that has died.

        A worker may have died while it was being replaced: its successor is alive. If a successor
        fails at once, the application is at fault, and the server gives up; the same if no worker
        is left and none can be started.
        """
        while self.interrupt_children:
            self._dead.add(self.interrupt_children.pop())
        self._dead = {index for index in self._dead if not _is_alive(self.wrks[index])}
        if self.interrupt_signal or self._is_stopping:
            return
        if time.monotonic() < self._retry_at and any(map(_is_alive, self.wrks)):
            return
        for index in sorted(self._dead):
            is_young = time.monotonic() - self._revived.get(index, -CRASH_LOOP) < CRASH_LOOP
            if is_young and self.wrks[index].inner.exitcode:  # 0 if it was told to end
                logger.error("Worker-%d dies again and again, so the server stops", index + 1)
                self._give_up()
                return
            if worker := self._start(index):
                self.wrks[index] = worker
                self._dead.remove(index)
                self._revived[index] = time.monotonic()
            else:
                self._retry_at = time.monotonic() + RETRY
                if not any(map(_is_alive, self.wrks)):
                    self._give_up()
                return

    def _give_up(self) -> None:
        self._gave_up = self.interrupt_signal = True

    def _replace_aged(self) -> None:
        """Replace workers whose lifetime is over, and look again when the next one's is."""
        aged = [worker.idx for worker in self.wrks if _age(worker) >= 0.95 * self.plan.lifetime]
        self._respawn_workers(aged, delay=RESTART_DELAY)
        oldest = max(map(_age, self.wrks))
        self._watch_workers_lifetime(max(60, self.plan.lifetime - oldest))

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        del spawn_target, target_loader  # `startup` has them
        for index in range(self.workers):
            if (worker := self._start(index)) is None:
                self._give_up()
                return
            self.wrks.append(worker)

    def _start(self, index: int) -> WorkerProcess | None:
        """Start a worker, or return None if the system has no room for it.

        It gets signals once it can handle them: `dovetail.cable.drain` lets them through.
        """
        worker: WorkerProcess = self._spawn_worker(index, **self._spawned)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, health.SIGNALS)
        try:
            with _quiet():
                worker.start()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as error:  # no process, or no thread to watch it
            logger.error("Worker-%d cannot be started: %s", index + 1, error)  # noqa: TRY400 - no room
            if worker.inner.pid:
                worker.kill()  # type: ignore[no-untyped-call]
            _close_pipes(error)
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return worker

    def _respawn_workers(
        self,
        workers: list[int],
        spawn_target: Any = None,
        target_loader: Any = None,
        delay: float = 0,
    ) -> None:
        """Replace workers, one after another, unless the server is to stop.

        The old ones let go of their connections while the new ones start.
        """
        del spawn_target, target_loader  # `startup` has them
        for index in workers:
            if self.interrupt_signal:
                return
            logger.info("Replacing worker-%d", index + 1)
            old, new = self.wrks[index], self._start(index)
            if new is None:
                return  # the others stay as well
            self.wrks[index] = new
            self._revived.pop(index, None)
            old.interrupt_by_parent = True  # if it dies, its successor is there already
            _tell(old, closing.SIGNAL)
            self._wait_for(lambda: False, delay)
            if not self.interrupt_signal:
                self._end(old)
            if self.interrupt_signal:
                self._replaced.append(old)  # it ends with the others
                return

    def _end(self, old: WorkerProcess) -> None:
        """Stop a worker whose successor has started."""
        logger.info("Stopping old worker-%d", old.idx + 1)
        old.terminate()  # type: ignore[no-untyped-call]
        self._wait_for(lambda: not _is_alive(old), settings.WEB_STOP_SECONDS)
        if self.interrupt_signal:
            return
        if _is_alive(old):
            logger.warning("Old worker-%d has not ended in time, and is killed", old.idx + 1)
            old.kill()  # type: ignore[no-untyped-call]
            old.join()  # type: ignore[no-untyped-call]
        logger.info("Stopped old worker-%d", old.idx + 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let no other thread write to a log: a process that starts then could never write to it."""
    with ExitStack() as stack:
        for handler in logging.getLogger().handlers:
            handler.acquire()
            stack.callback(handler.release)
        yield


def _close_pipes(error: BaseException) -> None:
    """Close the pipes that multiprocessing leaves open if the system has refused the process."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_launch":
            for name in ("parent_r", "parent_w", "child_r", "child_w"):
                if name in frame.f_locals:
                    os.close(frame.f_locals[name])


def _tell(worker: WorkerProcess, number: signal.Signals) -> None:
    if _is_alive(worker):  # its number may be another process's by now
        with suppress(ProcessLookupError):
            os.kill(worker.inner.pid, number)


def _age(worker: WorkerProcess) -> float:
    """Return the seconds since a worker was started."""
    return float(time.monotonic() - worker.birth)


def _is_alive(worker: WorkerProcess) -> bool:
    return bool(worker.is_alive())  # type: ignore[no-untyped-call]
