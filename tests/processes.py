"""Processes that do not depend on the environment of the shell."""

import os

# PYTHONPYCACHEPREFIX lets them share what other processes of the tests have compiled.
KEPT = ("PATH", "HOME", "PYTHONPYCACHEPREFIX")


def bare_environment() -> dict[str, str]:
    """Return what any program needs of the environment, without any setting."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}
