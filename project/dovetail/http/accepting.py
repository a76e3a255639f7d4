"""Lets a process stop accepting connections, while it goes on answering those that it has.

Own code because Granian accepts connections until it stops, and then closes those whose request has
not arrived yet: a client that has just connected gets no answer. A worker that is to be replaced
leaves new connections to the others first.

Linux only, whose `/proc` names the sockets that a process polls.
"""

import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISSOCK


def stop() -> bool:
    """Leave new connections to the other processes that share the listening socket.

    This replaces each listening socket that an event loop of this process polls with one that
    nobody connects to. The loop itself needs no change.

    Returns:
        Whether there was one; otherwise the process has yet to listen.

    Raises:
        OSError: the system refuses it, such as for want of a file descriptor.
    """
    found = list(_polled_listeners())
    for poll, listener in found:
        # First, since the system tells a loop of a socket for as long as any process has it. What
        # is polled under two numbers is the same.
        with select.epoll.fromfd(os.dup(poll)) as polled, suppress(FileNotFoundError):
            polled.unregister(listener)
    for listener in {listener for _, listener in found}:
        with socket.socket(socket.AF_UNIX) as quiet:
            quiet.bind("")  # to a name of the system's choice, which is no file
            quiet.listen(0)
            quiet.setblocking(False)
            os.dup2(quiet.fileno(), listener, inheritable=False)
    return bool(found)


def _polled_listeners() -> Iterator[tuple[int, int]]:
    """Return file descriptors, in pairs: an epoll, and a listening socket that it polls."""
    for info in Path("/proc/self/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile, as the one of this folder
            for line in info.read_text().splitlines():
                match line.split():  # proc_pid_fdinfo(5), on epoll
                    case ["tfd:", number, *_] if _is_listening(int(number)):
                        yield int(info.name), int(number)


def _is_listening(number: int) -> bool:
    with suppress(OSError):  # closed meanwhile
        if S_ISSOCK(os.fstat(number).st_mode):
            with socket.socket(fileno=os.dup(number)) as polled:
                return bool(polled.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
