#!/usr/bin/env python3
"""Replaces process-compose in CI where it cannot be downloaded.

It supports what process-compose.yaml uses (dependencies, probes, namespaces, `exit_on_failure`,
ordered shutdown) and the commands that tests/stack sends, so the service scripts and the servers
can be tested on every machine.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, cast

KNOWN = {
    *("namespace", "command", "log_location", "log_configuration", "readiness_probe"),
    *("availability", "shutdown", "depends_on", "ready_log_line"),
}


def parse(text: str) -> dict[str, Any]:
    """Parse the subset of YAML that the file uses: mappings, lists of strings, anchors."""
    anchors: dict[str, Any] = {}
    root: dict[str, Any] = {}
    stack: list[tuple[int, Any]] = [(-1, root)]
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        while stack[-1][0] >= indent:
            stack.pop()
        parent = stack[-1][1]
        if line.lstrip().startswith("- "):
            parent.setdefault("", []).append(scalar(line.strip()[2:]))
            continue
        key, _, value = line.strip().partition(":")
        value = value.strip()
        if value.startswith("*"):
            parent[key] = anchors[value[1:]]
        elif value and not value.startswith("&"):
            parent[key] = scalar(value)
        else:
            parent[key] = {}
            stack.append((indent, parent[key]))
            if value:
                anchors[value[1:]] = parent[key]
    return root


def scalar(value: str) -> str:
    return value[1:-1] if value[0] == value[-1] == '"' else value


def expand(text: str, variables: dict[str, str]) -> str:
    """Expand `${NAME}` and `${NAME:-default}`, innermost first; `$$` becomes `$`."""
    pattern = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^{}]*))?\}")
    while match := pattern.search(text):
        text = text.replace(match[0], variables.get(match[1]) or match[2] or "")
    return text.replace("$$", "$")


def dotenv() -> dict[str, str]:
    path = Path(".env")
    if os.environ.get("PC_DISABLE_DOTENV") or not path.is_file():
        return {}
    lines = re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE)
    return {name: value.strip("'\"") for name, value in lines}


class Process:
    def __init__(self, name: str, options: dict[str, Any], stack: "Stack") -> None:
        if unknown := options.keys() - KNOWN:
            sys.exit(f"unknown key {unknown.pop()!r} found in process {name!r}")
        self.name, self.options, self.stack = name, options, stack
        self.needs: dict[str, Any] = options.get("depends_on", {})
        self.changed = asyncio.Condition()
        self.reset()

    def reset(self) -> None:
        self.status, self.code, self.ready = "Pending", 0, False
        self.child: asyncio.subprocess.Process | None = None
        self.stopping = False

    async def run(self) -> None:
        self.reset()
        for name, need in self.needs.items():
            if name in self.stack.chosen and not await self.stack.all[name].meets(
                need["condition"]
            ):
                await self.become("Skipped")
                return
        log = Path(self.options["log_location"])
        log.parent.mkdir(parents=True, exist_ok=True)
        self.child = await self.start(self.options["command"], subprocess_output=True)
        probe = self.options.get("readiness_probe")
        watch = asyncio.create_task(self.watch(probe)) if probe else None
        await self.become("Running", ready=not probe and "ready_log_line" not in self.options)
        output = cast("asyncio.StreamReader", self.child.stdout)
        with log.open("a") as file:  # noqa: ASYNC230 - a local file
            async for raw in output:
                line = raw.decode(errors="replace")
                file.write(line)
                file.flush()
                print(f"[{self.name}\t] {line}", end="", flush=True)
                if self.options.get("ready_log_line", "\0") in line:
                    await self.become(self.status, ready=True)
        self.code = await self.child.wait()
        if watch:
            watch.cancel()
        await self.become("Completed", ready=False)
        policy = self.options.get("availability", {}).get("restart")
        if self.code and policy == "exit_on_failure" and not self.stopping:
            self.stack.fail(self.code)

    async def start(
        self, command: str, *, subprocess_output: bool = False
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            env=self.stack.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if subprocess_output else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def watch(self, probe: dict[str, Any]) -> None:
        while True:
            check = await self.start(probe["exec"]["command"])
            await self.become(self.status, ready=await check.wait() == 0)
            await asyncio.sleep(float(probe["period_seconds"]))

    async def become(self, status: str, *, ready: bool = False) -> None:
        async with self.changed:
            self.status, self.ready = status, ready
            self.changed.notify_all()

    async def meets(self, condition: str) -> bool:
        done = ("Completed", "Skipped")
        async with self.changed:
            await self.changed.wait_for(
                lambda: self.status in done or (condition == "process_healthy" and self.ready)
            )
        return self.ready or (
            condition == "process_completed_successfully"
            and (self.status, self.code) == ("Completed", 0)
        )

    async def stop(self) -> None:
        self.stopping = True
        if not self.child or self.child.returncode is not None:
            return
        how = self.options.get("shutdown", {})
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, int(how.get("signal", signal.SIGTERM)))
        try:
            async with asyncio.timeout(float(how.get("timeout_seconds", 10))), self.changed:
                await self.changed.wait_for(lambda: self.status == "Completed")
        except TimeoutError:
            os.killpg(self.child.pid, signal.SIGKILL)

    def state(self) -> dict[str, Any]:
        running = self.status == "Running"
        pid = self.child.pid if self.child else 0
        return {"name": self.name, "status": self.status, "is_running": running, "pid": pid}

    def is_ready(self) -> bool:
        return self.ready or (self.status == "Completed" and not self.code)


class Stack:
    def __init__(self, arguments: list[str]) -> None:
        self.variables = dotenv() | dict(os.environ) | {"PWD": str(Path.cwd())}
        file = parse(expand(Path("process-compose.yaml").read_text(), self.variables))
        extra = dict(one.split("=", 1) for one in file["environment"][""])
        self.environment = self.variables | extra
        self.all = {
            name: Process(name, options, self) for name, options in file["processes"].items()
        }
        for process in self.all.values():
            if missing := process.needs.keys() - self.all.keys():
                sys.exit(f"{process.name} depends on {missing.pop()}, which is not defined")
        space = arguments[arguments.index("-n") + 1] if "-n" in arguments else None
        named = {one for one in arguments if one in self.all}
        for name in list(named):
            named |= self.all[name].needs.keys()
        self.chosen = named or {
            name
            for name, process in self.all.items()
            if space in (None, process.options["namespace"])
        }
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> int:
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.fail, 0)
        path = os.environ["PC_SOCKET_PATH"]
        server = await asyncio.start_unix_server(self.handle, path)
        for name in self.chosen:
            self.tasks[name] = asyncio.create_task(self.all[name].run())
        status = await self.over
        await self.shut_down()
        server.close()
        Path(path).unlink(missing_ok=True)  # noqa: ASYNC240 - a local file
        return status

    def fail(self, status: int) -> None:
        if not self.over.done():
            self.over.set_result(status)

    async def shut_down(self) -> None:
        """Stop all processes, each one after those that depend on it."""
        stops: dict[str, asyncio.Task[None]] = {}

        async def stop(name: str) -> None:
            dependents = [stops[one] for one in self.chosen if name in self.all[one].needs]
            await asyncio.gather(*dependents)
            if self.all[name].status == "Pending":
                self.tasks[name].cancel()
            await self.all[name].stop()

        for name in self.chosen:
            stops[name] = asyncio.create_task(stop(name))
        await asyncio.gather(*stops.values())

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer: Any = None
        match json.loads(await reader.readline()):
            case ["down", *_]:
                self.fail(0)
            case ["process", "list", *_]:
                answer = [self.all[name].state() for name in sorted(self.chosen)]
            case ["project", "is-ready", *_]:
                answer = all(self.all[name].is_ready() for name in self.chosen)
            case ["process", "stop", name]:
                await self.all[name].stop()
            case ["process", "start", name]:
                self.tasks[name] = asyncio.create_task(self.all[name].run())
        writer.write(json.dumps(answer).encode())
        await writer.drain()
        writer.close()


async def send(arguments: list[str]) -> Any:
    reader, writer = await asyncio.open_unix_connection(os.environ["PC_SOCKET_PATH"])
    writer.write(json.dumps(arguments).encode() + b"\n")
    await writer.drain()
    return json.loads(await reader.read())


def main() -> None:
    arguments = sys.argv[1:]
    if arguments == ["version"]:
        print("a replacement for process-compose")
    elif "--dry-run" in arguments:
        print(f"Validated {len(Stack([]).all)} configured processes.")
    elif arguments and arguments[0] in ("process", "project", "down"):
        try:
            answer = asyncio.run(send(arguments))
        except OSError as error:
            sys.exit(f"error: no stack is running here: {error.strerror}")
        if answer is False:
            sys.exit(1)
        print(json.dumps(answer))
    else:
        sys.exit(asyncio.run(Stack(arguments).run()))


if __name__ == "__main__":
    main()
