"""A process that stops accepting leaves new connections to those that share its socket."""

import socket
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

LIMIT = 60  # seconds, for a busy machine
RETIRING = """
import os, select, socket, sys
from dovetail.http import accepting

listener = socket.socket(fileno=int(sys.argv[1]))
poll = select.epoll()
poll.register(listener, select.EPOLLIN | select.EPOLLET)
other_number = os.dup(poll.fileno())  # as Granian has
poll.poll()
kept, _ = listener.accept()
accepting.stop()
print("has stopped", flush=True)
sys.stdin.readline()
assert poll.poll(0) == [], "is told of the connection"
try:
    listener.accept()
except BlockingIOError:
    kept.sendall(b"accepted nothing")
"""


def test_new_connections_are_left_to_others() -> None:
    """Kind: clients that have just connected when a worker stops, and get no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        listener.setblocking(False)
        with subprocess.Popen(
            [sys.executable, "-c", RETIRING, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env={"PYTHONPATH": str(settings.PROJECT_DIR)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as retiring:
            assert retiring.stdin
            assert retiring.stdout
            with socket.create_connection(address, LIMIT) as before:
                assert retiring.stdout.readline() == b"has stopped\n"
                with socket.create_connection(address, LIMIT):
                    retiring.stdin.write(b"\n")
                    retiring.stdin.flush()
                    assert before.recv(100) == b"accepted nothing"
                    connection, _ = listener.accept()
                    connection.close()
    assert retiring.returncode == 0
