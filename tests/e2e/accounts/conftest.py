"""Starts a separate stack in which staff need a second factor, with an identity provider."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovetail.devtools.embedded.testing import free_port, free_ports
from tests.e2e.accounts import identity_provider
from tests.e2e.conftest import running_stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/e2e/accounts/"):
            item.add_marker(pytest.mark.long("starts a second stack"))


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    port, provider_port = free_ports(4), free_port()
    script = Path(identity_provider.__file__)
    provider = subprocess.Popen(
        [sys.executable, str(script), str(provider_port), f"http://localhost:{port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdout
    try:
        assert provider.stdout.readline() == "ready\n"
        entry = {
            "id": "realm",
            "name": "Example Realm",
            "issuer": f"http://localhost:{provider_port}",
            "client_id": identity_provider.CLIENT_ID,
            "client_secret": identity_provider.CLIENT_SECRET,
            "trusted": True,
        }
        with running_stack(
            port,
            OIDC_PROVIDERS=json.dumps([entry]),
            MFA_REQUIRED_FOR_STAFF="true",
        ) as address:
            yield address
    finally:
        provider.terminate()
        provider.wait(60)
        provider.stdout.close()
