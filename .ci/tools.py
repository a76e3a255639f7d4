"""Programs that the checks need and that no lock file brings: on PATH, or built by Go.

Go keeps what it has built, so that only the first run takes a minute.
"""

import shutil

RELEASES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    # The proxy of docker-compose.yml, in the same version.
    "caddy": "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.7",
    # Docker Compose's own parser, which needs no Docker.
    "compose-go": "github.com/compose-spec/compose-go/v2/cmd@v2.16.2",
    "gitleaks": "github.com/zricethezav/gitleaks/v8@v8.30.1",
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2",
}


class MissingError(Exception):
    """A program is missing, and so is Go, which could build it; the message says so."""


def missing(name: str) -> str:
    """Return why a program cannot be started here; "" if it can."""
    if shutil.which(name) or shutil.which("go"):
        return ""
    return f"there is neither {name} nor Go, which builds it, on PATH"


def command(name: str) -> list[str]:
    """Return the words that start a program.

    Args:
        name: one of `RELEASES`.

    Raises:
        MissingError: it is not on PATH, and Go is not either.
    """
    if reason := missing(name):
        raise MissingError(reason)
    return [name] if shutil.which(name) else ["go", "run", RELEASES[name]]
