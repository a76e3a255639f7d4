"""The Valkey-protocol server process. It does not import Django.

Run it with `python -P valkey_server.py PORT`, and with the password that clients must give in the
variable VALKEY_SERVER_PASSWORD: other users of the machine can read the arguments of a process.
"""

import contextlib
import hmac
import os
import selectors
import signal
import socket
import sys
import threading
from io import BufferedIOBase
from typing import Any

import redis
from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from fakeredis._helpers import SimpleError

PASSWORD = "VALKEY_SERVER_PASSWORD"  # noqa: S105 - the name of a variable
# What Valkey itself takes from a client that it does not know yet.
MAX_ARGUMENTS, MAX_ARGUMENT = 10, 16_384
MAX_READ = 65_536  # bytes at a time


class ProtocolError(Exception):
    """A client sent what is no command."""


class Handler(TCPFakeRequestHandler):
    """Lets in only clients that know the password, and waits for events.

    fakeredis does not check the password. It also looks every 10 ms whether there is something to
    send to a client, which keeps a processor busy when many are connected, and delays what they
    have subscribed to.
    """

    def handle(self) -> None:
        os.set_blocking(self.connection.fileno(), True)
        try:
            greeting = self._authenticate()
        except (ProtocolError, OSError):
            return
        if greeting:
            os.set_blocking(self.connection.fileno(), False)
            try:
                # More may have arrived together with the password.
                self._serve(pack_command(greeting) + (self.rfile.read1(MAX_READ) or b""))
            except SimpleError as error:  # a client sent what is no command
                self._send_replies()  # to what came before
                self.writer.dump(error)
            except OSError:  # it has left
                pass

    def _serve(self, received: bytes) -> None:
        """Answer commands, and send what others cause to be sent, until the client leaves.

        Args:
            received: what the client has sent so far.
        """
        client = self.current_client.get_socket()
        here, there = socket.socketpair()
        with here, there, selectors.DefaultSelector() as events:
            here.setblocking(False)
            there.setblocking(False)
            _wake_when_others_send(client, there)
            events.register(here, selectors.EVENT_READ)
            events.register(self.connection, selectors.EVENT_READ)
            while received:
                client.sendall(received)
                self._send_replies()
                while self.connection not in {key.fileobj for key, _ in events.select()}:
                    here.recv(MAX_READ)
                    self._send_replies()
                received = self.rfile.read1(MAX_READ) or b""

    def _send_replies(self) -> None:
        while self.current_client.can_read():
            try:
                reply = self.current_client.read_response()
            except redis.RedisError as error:
                reply = error  # and the connection stays open, as a real server keeps it
            self.writer.dump(reply)

    def _authenticate(self) -> list[bytes]:
        """Refuse commands until one of them gives the password.

        Returns:
            That command as fakeredis answers it rightly; empty if the client has left before.
        """
        while command := read_command(self.rfile):
            match [command[0].upper(), *command[1:]]:
                case [b"AUTH", *credentials]:
                    greeting = command
                case [b"HELLO", _, option, user, password, *_] if option.upper() == b"AUTH":
                    credentials = [user, password]
                    greeting = command[:2] + command[5:]
                case _:
                    self.wfile.write(b"-NOAUTH Authentication required.\r\n")
                    continue
            if self._knows(credentials):
                return greeting
            self.wfile.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
        return []

    def _knows(self, credentials: list[bytes]) -> bool:
        match credentials:
            case [password] | [b"default", password]:
                return hmac.compare_digest(password, os.environ[PASSWORD].encode())
        return False


def _wake_when_others_send(client: Any, end: socket.socket) -> None:
    """Write to a socket when other threads send to a client of this one, which waits meanwhile.

    Args:
        client: fakeredis' side of the connection.
        end: of a pair of sockets; this thread waits at the other.
    """
    here = threading.get_ident()
    put_response = client.put_response

    def put_response_and_wake(*args: Any) -> None:
        put_response(*args)
        if threading.get_ident() != here:
            with contextlib.suppress(OSError):  # it is awake, or the client has left
                end.send(b"\0")

    client.put_response = put_response_and_wake


def read_command(stream: BufferedIOBase) -> list[bytes]:
    """Return the next command with its arguments; none at the end of the stream.

    Raises:
        ProtocolError: what follows is no command, or one that is too long.
    """
    if not (count := _read_length(stream, b"*", MAX_ARGUMENTS)):
        return []
    command = []
    for _ in range(count):
        length = _read_length(stream, b"$", MAX_ARGUMENT)
        if length is None:
            raise ProtocolError
        argument = stream.read(length + 2)
        if not argument.endswith(b"\r\n"):
            raise ProtocolError
        command.append(argument[:-2])
    return command


def _read_length(stream: BufferedIOBase, kind: bytes, most: int) -> int | None:
    line = stream.readline(32)
    if not line:
        return None
    digits = line.removeprefix(kind).strip()
    if not line.startswith(kind) or not digits.isdigit() or int(digits) > most:
        raise ProtocolError
    return int(digits)


def pack_command(command: list[bytes]) -> bytes:
    """Return a command as the protocol writes it."""
    arguments = [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in command]
    return b"*%d\r\n%b" % (len(command), b"".join(arguments))


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until killed.

    Args:
        port: the port to listen on; 0 picks a free one. The port is printed.
    """
    # There is nothing to save, so Ctrl-C ends the process without waiting for its threads.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with TcpFakeServer(("127.0.0.1", port), server_type="valkey", server_version=(8,)) as server:
        server.RequestHandlerClass = Handler
        # By which fakeredis answers AUTH.
        server.fake_server.config[b"requirepass"] = os.environ[PASSWORD].encode()
        print(f"Listening on port {server.server_address[1]}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    if not os.environ.get(PASSWORD):
        sys.exit(f"error: {PASSWORD} is not set: give the password that clients must know.")
    serve(int(sys.argv[1]))
