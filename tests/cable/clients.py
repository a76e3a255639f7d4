"""Drives Rails' client, @rails/actioncable, in Node and in Chromium."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Browser, Page, sync_playwright

from tests.cable.servers import wait_until
from tests.e2e.conftest import launcher

HERE = Path(__file__).parent
ACTIONCABLE = "node_modules/@rails/actioncable/app/assets/javascripts/actioncable.js"
HARNESS = HERE / "harness.js"
RECONNECT = 40  # seconds; the client checks for a stale socket every 6 to 12


class Runtime(Protocol):
    def run(self, expression: str) -> Any: ...

    def end(self) -> None: ...


class Node:
    def __init__(self, node: str, script: Path, url: str, session: str) -> None:
        self.process = subprocess.Popen(
            [node, HERE / "node.mjs", script, HARNESS, url, f"sessionid={session}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, expression: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"Node ended with status {self.process.wait(10)}: see standard error"
        return json.loads(answer)

    def end(self) -> None:
        self.process.communicate(timeout=10)


class BrowserThread:
    """Chromium in a separate thread, since Django refuses to run in a thread with an event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._stack = ExitStack()
        self.browser: Browser = self.call(self._launch)

    def _launch(self) -> Browser:
        return launcher(self._stack.enter_context(sync_playwright()))()

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return self._thread.submit(function, *arguments, **options).result()

    def end(self) -> None:
        self.call(self.browser.close)
        self.call(self._stack.close)
        self._thread.shutdown()


class Chromium:
    def __init__(self, thread: BrowserThread, script: Path, url: str, session: str) -> None:
        self.thread = thread
        self.page: Page = thread.call(self._open, script, url, session)

    def _open(self, script: Path, url: str, session: str) -> Page:
        # Past the policy of the page, which no script is a part of.
        context = self.thread.browser.new_context(bypass_csp=True)
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        page = context.new_page()
        page.goto(f"{url}/livez")  # any page of the same origin
        page.add_script_tag(path=script)
        page.add_script_tag(path=HARNESS)
        return page

    def run(self, expression: str) -> Any:
        return self.thread.call(self.page.evaluate, f"() => {{ return {expression} }}")

    def end(self) -> None:
        self.thread.call(self.page.context.close)


class Client:
    """One page with its subscriptions, each under a key that the test chooses."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def open(self, url: str) -> None:
        """Connect to the server at this address."""
        self.call("open", f"{url}/cable".replace("http", "ws", 1))

    def call(self, function: str, *arguments: Any) -> Any:
        given = ", ".join(json.dumps(argument) for argument in arguments)
        return self.runtime.run(f"harness.{function}({given})")

    def subscribe(self, key: str, **params: Any) -> None:
        """Subscribe and wait for the answer."""
        self.call("subscribe", key, params)
        self.wait(key, "connected", "rejected")

    def log(self, key: str, event: str) -> list[Any]:
        """Return the arguments of all calls of a subscription's callback."""
        entries = self.runtime.run("harness.log")
        return [value for name, kind, value in entries if (name, kind) == (key, event)]

    def wait(self, key: str, *events: str, count: int = 1, seconds: float = 20) -> list[Any]:
        """Wait for `count` calls of any of these callbacks; return the arguments of the first."""
        wait_until(
            lambda: any(len(self.log(key, event)) >= count for event in events),
            f"{' or '.join(events)} of {key}",
            seconds,
        )
        return self.log(key, events[0])

    def wait_for_reconnect(self, key: str) -> None:
        """Wait until a disconnected subscription is connected again."""
        states = {"connected", "disconnected"}
        wait_until(
            lambda: [
                event for name, event, _ in self.runtime.run("harness.log")
                if name == key and event in states
            ][-1] == "connected",
            f"reconnect of {key}",
            RECONNECT,
        )  # fmt: skip

    def received(
        self, key: str, *, count: int = 1, seconds: float = 20, besides: Any = None
    ) -> list[Any]:
        """Wait for messages, not counting any that equals `besides`, and return them."""

        def messages() -> list[Any]:
            return [message for message in self.log(key, "received") if message != besides]

        wait_until(lambda: len(messages()) >= count, f"{count} messages to {key}", seconds)
        return messages()

    def close(self) -> None:
        self.call("close")
