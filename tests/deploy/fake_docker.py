"""Stands in for Docker and its Compose, which need a daemon: as much of them as bin/deploy uses.

It keeps its containers in the file STATE, and writes what it is told to its list of events. After
each command it looks at what visitors would see: whether each container that the proxy sends
requests to is one that can answer them.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STATE = Path(os.environ["STATE"])


class Docker:
    def __init__(self) -> None:
        self.state: dict[str, Any] = json.loads(STATE.read_text())
        self.image = os.environ.get("IMAGE", "")
        self.fails = self.state["fails"]

    def run(self, arguments: list[str]) -> None:
        match arguments:
            case ["image", "inspect", image]:
                self.end_if(image not in self.state["images"])
            case ["pull", "--quiet", image]:
                self.end_if(image not in self.state["registry"])
                self.state["images"].append(image)
            case ["inspect", "--format", "{{.Config.Image}}", id_]:
                sys.stdout.write(f"{self.container(id_)['image']}\n")
            case ["stop", *ids]:
                self.event("stop", *ids)
                self.remove(ids, keep=True)
                self.interrupt_if("stop" in self.fails)
            case ["rm", "--force", *ids] | ["rm", *ids]:
                self.event("rm", *ids)
                self.remove(ids)
            case ["compose", *rest]:
                self.compose(rest)
            case _:
                sys.exit(f"docker: unknown command: {arguments}")

    def compose(self, arguments: list[str]) -> None:  # noqa: C901, PLR0912 - a case for each command
        match arguments:
            case ["build", "web"]:
                self.event("build", self.image)
                self.end_if("build" in self.fails)
                self.state["images"].append(self.image)
            case ["ps", "--quiet", service]:
                self.write(one["id"] for one in self.running(service))
            case ["ps", "--all", "--quiet", service]:
                self.write(one["id"] for one in self.all(service))
            case ["ps", "--services"]:
                self.write({one["service"] for one in self.state["containers"] if one["runs"]})
            case ["config", "--services"]:
                self.write(["migrate", *self.state["services"]])
            case ["run", "--rm", "--no-deps", "migrate"]:
                self.event("migrate", self.image)
                self.end_if("migrate" in self.fails)
            case ["up", "--detach", "--wait"]:
                self.event("up", self.image)
                for service in self.state["services"]:
                    if service == "caddy" and "port" in self.fails:
                        self.end_if(True)
                    self.remove([one["id"] for one in self.all(service)])
                    self.start(service)
            case ["up", "--detach", "--no-recreate", "--wait", *services]:
                self.event("start", *services)
                for service in services:
                    self.start(service)
            case ["up", "--detach", "--no-deps", "--wait", "caddy"]:
                self.event("proxy")
            case ["up", "--detach", "--no-deps", "--force-recreate", *options, "worker", "beat"]:
                self.event("workers", self.image)
                for service in ("worker", "beat"):
                    self.remove([one["id"] for one in self.running(service)])
                    self.start(service)
                self.end_if("workers" in self.fails and options == ["--wait"])
            case [
                "up",
                "--detach",
                "--no-deps",
                "--no-recreate",
                "--wait",
                "--scale",
                scale,
                "web",
            ]:
                self.event("scale", scale, self.image)
                healthy = "web" not in self.fails
                for one in self.all("web"):  # Compose counts and starts those that do not run
                    one["runs"] = True
                while len(self.all("web")) < int(scale.removeprefix("web=")):
                    self.start("web", healthy=healthy)
                    if "created" in self.fails:  # such as with a secret whose file is missing
                        self.all("web")[-1]["runs"] = False
                self.interrupt_if("starting" in self.fails)
                self.end_if(not healthy or "created" in self.fails)
            case ["exec", "--no-TTY", *options, "caddy", "caddy", "reload", "--config", _]:
                route = [
                    one.removeprefix("WEB_UPSTREAMS=") for one in options if "UPSTREAMS" in one
                ]
                targets = route[0].split() if route else []
                self.event("route", *targets)
                self.end_if("proxy" in self.fails and len(self.running("web")) > 1)
                self.state["route"] = targets
            case _:
                sys.exit(f"docker: unknown command of compose: {arguments}")

    def event(self, *words: str) -> None:
        self.state["events"].append(" ".join(words))

    def write(self, lines: Iterable[str]) -> None:
        sys.stdout.write("".join(f"{line}\n" for line in lines))

    def all(self, service: str) -> list[dict[str, Any]]:
        return [one for one in self.state["containers"] if one["service"] == service]

    def running(self, service: str) -> list[dict[str, Any]]:
        return [one for one in self.all(service) if one["runs"]]

    def container(self, id_: str) -> dict[str, Any]:
        [found] = (one for one in self.state["containers"] if one["id"] == id_)
        return dict(found)

    def start(self, service: str, *, healthy: bool = True) -> None:
        self.state["count"] += 1
        id_ = f"{self.state['count']:064x}"[::-1]
        container = {"id": id_, "service": service, "image": self.image, "healthy": healthy}
        self.state["containers"].append(container | {"runs": True})

    def remove(self, ids: list[str], *, keep: bool = False) -> None:
        for one in self.state["containers"]:
            if one["id"] in ids:
                one["runs"] = False
        if not keep:
            rest = [one for one in self.state["containers"] if one["id"] not in ids]
            self.state["containers"] = rest

    def interrupt_if(self, is_time: object) -> None:
        """Interrupt who deploys, as a lost connection does."""
        if is_time:
            self.save()
            os.kill(os.getppid(), signal.SIGTERM)
            sys.exit(130)

    def end_if(self, fails: object) -> None:
        if fails:
            self.save()
            sys.exit(1)

    def save(self) -> None:
        """Note what visitors see, and write the state."""
        web = self.running("web")
        names = {f"{one['id'][:12]}:8000": one for one in web}
        reached = [names.get(name) for name in self.state["route"]] or web
        if web and not all(one and one["healthy"] for one in reached):
            self.state["failed"].append(self.state["events"][-1])
        if not web:
            self.state["failed"].append("nothing serves")
        new = STATE.with_suffix(f".{os.getpid()}")  # several run at once
        new.write_text(json.dumps(self.state))
        new.replace(STATE)


if __name__ == "__main__":
    docker = Docker()
    docker.run(sys.argv[1:])
    docker.save()
