"""An SMTP server on this machine, which keeps what it gets and answers as it is told."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

from django.core.mail import EmailMultiAlternatives
from pytest_django.fixtures import Settings

CLOSE = ""  # as an answer: close the connection
SILENCE = "…"  # give none
TAKEN = "250 queued"


@dataclass
class Server:
    """The server's side.

    Attributes:
        answers: to the commands that are named; all others are taken.
        to_recipients: the answers to RCPT for the addresses that are named.
        to_messages: the next answers to whole messages; the last one is repeated.
        delay: seconds until a message is answered.
        received: the messages, whatever the answer was.
        envelopes: the recipients of each of them that were taken.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    to_recipients: dict[str, str] = field(default_factory=dict)
    to_messages: list[str] = field(default_factory=lambda: [TAKEN])
    delay: float = 0
    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def answer_to(self, name: str, address: str) -> str:
        usual = {"DATA": "354 go ahead", "QUIT": "221 bye"}.get(name, "250 ok")
        answer = self.answers.get(name, usual)
        return self.to_recipients.get(address, answer) if name == "RCPT" else answer

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
            taken: list[str] = []
            is_open = self.say("220 hello")
            while is_open and (line := self.rfile.readline()):
                name = line.split()[0].decode().upper()
                address = line.decode().partition("<")[2].partition(">")[0]
                answer = server.answer_to(name, address)
                taken += [address] * (name == "RCPT" and answer.startswith("2"))
                is_open = self.say(answer)
                if answer.startswith("354"):
                    server.envelopes.append(taken)
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


def message() -> EmailMultiAlternatives:
    return EmailMultiAlternatives(
        "Hello", ".\nOne\n.\n..two\n", "us@site.example", ["ada@example.org"]
    )


def use(settings: Settings, server: Server, *, is_tls: bool = False) -> None:
    settings.MAIL_TRANSPORT = "dovetail.mail.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", server.port
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = is_tls, False
    settings.EMAIL_TIMEOUT = settings.EMAIL_ANSWER_TIMEOUT = 10
