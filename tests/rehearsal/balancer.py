"""What Kubernetes' services and Compose's proxy do: connections go to servers that are ready.

Own code so that tests see each connection: it tries another server only if one refuses to connect,
and hides no other failure.
"""

import asyncio
import contextlib
import threading

from tests.production.proxy import connect

PERIOD = 0.25  # seconds between probes
PROBE_TIMEOUT = 5  # seconds
PROBE = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Balancer:
    """Passes connections on to servers whose `/readyz` answers 200, one after the other.

    Attributes:
        port: where it listens on 127.0.0.1.
        served: how many connections it has passed to each port.
    """

    def __init__(self, *ports: int, handshake: dict[str, str] | None = None) -> None:
        """Start it.

        Args:
            ports: of the servers on 127.0.0.1.
            handshake: headers to set in the handshakes of WebSockets, as a proxy does. Other
                clients set them themselves.
        """
        self.served: dict[int, int] = {}
        self._ready = dict.fromkeys(ports, False)
        self._turn = 0
        self._headers = handshake or {}
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._loop.create_task(self._probe_all())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def add(self, port: int) -> None:
        self._loop.call_soon_threadsafe(self._ready.setdefault, port, False)

    def remove(self, port: int) -> None:
        self._loop.call_soon_threadsafe(self._ready.pop, port, None)

    def is_ready(self, port: int) -> bool:
        """Return what the last probe of a server said."""
        return self._ready.get(port, False)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe_all(self) -> None:
        while True:
            await asyncio.gather(*map(self._probe, list(self._ready)))
            await asyncio.sleep(PERIOD)

    async def _probe(self, port: int) -> None:
        line = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(PROBE_TIMEOUT):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(PROBE)
                    line = await reader.readline()
                finally:
                    writer.close()
        if port in self._ready:
            self._ready[port] = b" 200 " in line

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two has gone
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nupgrade: websocket" in head.lower():
            head = self._with_headers(head)
        answers, server = await self._connect()
        server.write(head)
        await connect((reader, writer), (answers, server))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ready = [port for port, is_ready in self._ready.items() if is_ready]
        self._turn += 1
        for number in range(len(ready)):
            port = ready[(self._turn + number) % len(ready)]
            with contextlib.suppress(ConnectionRefusedError):
                streams = await asyncio.open_connection("127.0.0.1", port)
                self.served[port] = self.served.get(port, 0) + 1
                return streams
        raise ConnectionRefusedError("no server is ready")

    def _with_headers(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        replaced = {name.lower() for name in self._headers}
        kept = [line for line in lines if line.partition(":")[0].lower() not in replaced]
        own = [f"{name}: {value}" for name, value in self._headers.items()]
        return "\r\n".join([first, *kept, *own, "", ""]).encode("latin-1")
