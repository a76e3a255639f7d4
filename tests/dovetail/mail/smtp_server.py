"""An SMTP server on this machine, which keeps what it gets and answers as it is told."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

CLOSE = ""  # as an answer: close the connection
SILENCE = "…"  # give none
TAKEN = "250 queued"


@dataclass
class Server:
    """The server's side.

    Attributes:
        answers: to the commands that are named; all others are taken.
        to_messages: the next answers to whole messages; the last one is repeated.
        delay: seconds until a message is answered.
        received: the messages, whatever the answer was.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    to_messages: list[str] = field(default_factory=lambda: [TAKEN])
    delay: float = 0
    received: list[EmailMessage] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def take(self, content: bytes) -> str:
        self.received.append(message_from_bytes(content, policy=policy.default))
        self.ended.wait(self.delay)
        return self.to_messages.pop(0) if len(self.to_messages) > 1 else self.to_messages[0]


@contextmanager
def serve(server: Server, certificate: str = "") -> Iterator[Server]:
    """Serve until the end of the block.

    Args:
        server: what to answer.
        certificate: the path of one with its key, for TLS from the start.
    """

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            usual = {"DATA": "354 go ahead", "QUIT": "221 bye"}
            is_open = self.say("220 hello")
            while is_open and (line := self.rfile.readline()):
                name = line.split()[0].decode().upper()
                answer = server.answers.get(name, usual.get(name, "250 ok"))
                is_open = self.say(answer)
                if answer.startswith("354"):
                    is_open = self.say(server.take(self.read_message()))

        def read_message(self) -> bytes:
            lines = iter(self.rfile.readline, b".\r\n")
            return b"".join(line.removeprefix(b".") for line in lines)

        def say(self, answer: str) -> bool:
            if answer == SILENCE:
                server.ended.wait(30)
            if answer in {SILENCE, CLOSE}:
                return False
            self.wfile.write(f"{answer}\r\n".encode())
            return True

    class Listener(ThreadingTCPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that has gone."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        server.port = listener.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            listener.shutdown()
            thread.join()
