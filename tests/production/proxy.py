"""A proxy that terminates TLS, as nginx, Traefik or a load balancer does."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHUNK = 64 * 1024  # bytes
LIFETIME = dt.timedelta(days=1)


def write_certificate(path: Path) -> None:
    """Write a key and a self-signed certificate for localhost to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )


class Proxy:
    """Passes requests on from one port with TLS and one without, and says so in X-Forwarded-*.

    Each connection carries one request, or one WebSocket.

    Attributes:
        https: the URL of the site.
        http: the same without TLS.
    """

    def __init__(self, upstream: int, certificate: Path) -> None:
        """Listen on two free ports.

        Args:
            upstream: the port of the server on 127.0.0.1.
            certificate: the file with the key and the certificate.
        """
        self.upstream = upstream
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate)
        self.context.set_alpn_protocols(["http/1.1"])
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.Server] = []
        ports = [self.loop.run_until_complete(self._listen(scheme)) for scheme in ("https", "http")]
        self.https, self.http = (
            f"{scheme}://localhost:{port}"
            for scheme, port in zip(("https", "http"), ports, strict=True)
        )
        self.thread = threading.Thread(target=self.loop.run_forever, name="proxy", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end_all(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _end_all(self) -> None:
        for server in self.servers:
            server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _listen(self, scheme: str) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._pass_on(scheme, reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass  # the browser or the server has gone
            finally:
                writer.close()

        context = self.context if scheme == "https" else None
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        self.servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _pass_on(
        self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request, *headers = head.decode("latin-1").split("\r\n")[:-2]
        fields = [tuple(header.split(": ", 1)) for header in headers]
        host = next(value for name, value in fields if name.lower() == "host")
        address = writer.get_extra_info("peername")[0]
        fields = [field for field in fields if not field[0].lower().startswith("x-forwarded-")]
        if not any(name.lower() == "upgrade" for name, _ in fields):
            fields = [field for field in fields if field[0].lower() != "connection"]
            fields.append(("Connection", "close"))
        fields += [
            ("X-Forwarded-For", address),
            ("X-Forwarded-Proto", scheme),
            ("X-Forwarded-Host", host),
        ]
        lines = [request, *(f"{name}: {value}" for name, value in fields), "", ""]
        answers, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        to_server.write("\r\n".join(lines).encode("latin-1"))
        await connect((reader, writer), (answers, to_server))


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(client: Connection, server: Connection) -> None:
    """Pass on what each of two connections receives until one ends, then close the server's."""
    pipes = [
        asyncio.ensure_future(_pipe(client[0], server[1])),
        asyncio.ensure_future(_pipe(server[0], client[1])),
    ]
    try:
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        server[1].close()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(CHUNK):
        target.write(chunk)
        await target.drain()
