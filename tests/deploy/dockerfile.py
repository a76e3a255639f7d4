"""Reads what the Dockerfile says about the image that it builds."""

import json
import re
import shlex
from typing import Any

from tests.repository import ROOT

CONTINUED = re.compile(r"\\\n")
OPTION = re.compile(r"--([a-z-]+)=(\S+) ")


def instructions() -> list[tuple[str, str]]:
    """Return all instructions of the Dockerfile and their arguments."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in CONTINUED.sub(" ", text).splitlines() if line.strip()]
    pairs = (line.split(maxsplit=1) for line in lines)
    return [(name, " ".join(arguments.split())) for name, arguments in pairs]


def bases() -> list[str]:
    """Return the images that it starts from, without those that are stages of it."""
    froms = [arguments.split() for name, arguments in instructions() if name == "FROM"]
    stages = {words[2] for words in froms if len(words) == 3}
    return [words[0] for words in froms if words[0] not in stages]


def last_stage() -> list[tuple[str, str]]:
    steps = instructions()
    start = max(index for index, (name, _) in enumerate(steps) if name == "FROM")
    return steps[start + 1 :]


def config() -> dict[str, Any]:
    """Return the configuration of the image, in the form that nix/image.nix has."""
    found: dict[str, Any] = {"Env": {}, "Labels": {}, "ExposedPorts": []}
    for name, arguments in last_stage():
        match name:
            case "ENV" | "LABEL":
                values = dict(word.split("=", 1) for word in shlex.split(arguments))
                found["Env" if name == "ENV" else "Labels"] |= values
            case "EXPOSE":
                found["ExposedPorts"] += arguments.split()
            case "USER":
                found["User"] = arguments
            case "WORKDIR":
                found["WorkingDir"] = arguments
            case "ENTRYPOINT":
                found["Entrypoint"] = json.loads(arguments)
            case "CMD":
                found["Cmd"] = json.loads(arguments)
            case "HEALTHCHECK":
                options, _, command = arguments.partition("CMD ")
                found["Healthcheck"] = {"Test": ["CMD", *json.loads(command)]}
                found["Healthcheck"] |= dict(OPTION.findall(options))
    return found
