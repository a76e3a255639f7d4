"""An OpenID Connect provider over HTTP, which tests can make misbehave."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from pytest_django.fixtures import Settings

from config import oidc

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """Responds to a login as its attributes specify.

    Attributes:
        claims: claims in the ID token, besides those that make it valid.
        userinfo: claims from the user info endpoint, besides the subject.
        changes: overrides of the ID token's claims; None removes one.
        key: signs the ID token.
        published: the key in the key set.
        algorithm: the ID token's signature algorithm.
        header: extra headers of the ID token.
        status: HTTP status of every response.
        discovery: overrides in the discovery document.
        body: replaces the body of every response, unless None.
        nonce: nonce of the current login.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"email": "ada@example.org", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}
        self.key: Any = KEY
        self.published: Any = KEY
        self.algorithm = "RS256"
        self.header: dict[str, Any] = {"kid": "first"}
        self.status = 200
        self.discovery: dict[str, Any] = {}
        self.body: bytes | None = None
        self.nonce = ""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def respond(self, path: str) -> Any:
        match path:
            case "/.well-known/openid-configuration":
                endpoints = {
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                    "jwks_uri": f"{self.issuer}/keys",
                    "end_session_endpoint": f"{self.issuer}/logout",
                }
                return {"issuer": self.issuer, **endpoints} | self.discovery
            case "/keys":
                public = self.published.public_key()
                jwk = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
                return {"keys": [{**jwk, "kid": "first", "use": "sig", "alg": "RS256"}]}
            case "/token":
                return {"access_token": "opaque", "token_type": "Bearer", "id_token": self.token()}
            case "/userinfo":
                return {"sub": "ada", **self.userinfo}
        return {}

    def token(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": "site",
            "nonce": self.nonce,
        }
        claims |= {"iat": now, "exp": now + 300, **self.claims, **self.changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers=self.header)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = provider.body
                if body is None:
                    body = json.dumps(provider.respond(self.path)).encode()
                self.send_response(provider.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    provider = Provider()
    entry = {
        "id": "test",
        "name": "Test Realm",
        "issuer": provider.issuer,
        "client_id": "site",
        "client_secret": "s3cret-of-the-client",
        "trusted": True,
    }
    configure(settings, entry)
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def configure(settings: Settings, *entries: dict[str, Any]) -> None:
    """Set the providers as OIDC_PROVIDERS would."""
    apps = oidc.parse(json.dumps(entries), insecure=True)
    options = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": options | {"APPS": apps}}


def change(settings: Settings, **fields: Any) -> None:
    """Change fields of the provider's `settings`."""
    (app,) = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    app["settings"] |= fields


def start_login(client: Client, **data: str) -> dict[str, str]:
    """Start a login and return the parameters of the request to the provider."""
    response = client.post("/accounts/oidc/test/login/", data)
    assert response.status_code == 200, response.content.decode()
    query = parse_qs(urlsplit(response.context["redirect_to"]).query)
    return {name: values[0] for name, values in query.items()}


def log_in_with_provider(client: Client, provider: Provider, **data: str) -> Any:
    """Log in at the provider and return the site's response to the callback."""
    query = start_login(client, **data)
    provider.nonce = provider.nonce or query["nonce"]
    return client.get("/accounts/oidc/test/login/callback/", {"code": "x", "state": query["state"]})


def encode(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
