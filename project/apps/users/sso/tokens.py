"""Validates ID tokens as OpenID Connect Core 3.1.3.7 requires, including signature and nonce.

Own code because allauth relies on the connection instead of the signature and sends no nonce.

The key comes only from the provider's key set: headers that bring or point to another one (`jwk`,
`jku`, `x5c`, `x5u`) are never read. Weak keys are refused by PyJWT, as RFC 7518, 3.3 and 3.5,
requires: RSA below 2048 bits. Each elliptic curve is fixed by its algorithm, and the smallest is
P-256.
"""

import base64
import hashlib
import secrets
import time
from typing import Any

import jwt
from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# Asymmetric only: anyone who knows the client secret could forge a token signed with it.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ALGORITHMS += ["EdDSA"]
LEEWAY = 30  # seconds that two clocks may differ
MAX_AGE = 600  # seconds; the token was issued for this login, which took moments
MAX_LENGTH = 65_536  # characters; a token with hundreds of groups has fewer
TIMES = ("exp", "iat", "nbf", "auth_time")
END_OF_TIME = 253_402_300_799  # the last second of the year 9999

_jwt = jwt.PyJWT({"enforce_minimum_key_length": True})


def verify(
    token: Any,
    *,
    keys: Any,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str | None = None,
) -> dict[str, Any]:
    """Return the claims of a valid ID token.

    Args:
        token: the token as the provider sent it.
        keys: the provider's JSON Web Key Set.
        issuer: the expected issuer.
        client_id: the expected audience.
        nonce: the nonce that this login sent.
        access_token: the access token that came with the ID token.

    Raises:
        OAuth2Error: the token is malformed, expired, or signed with a weak key, or has another
            issuer, audience or nonce.
    """
    if not isinstance(token, str) or len(token) > MAX_LENGTH:
        raise OAuth2Error("the ID token is missing, malformed or too long")
    try:
        header = jwt.get_unverified_header(token)
        if "crit" in header:  # no extension is understood here: RFC 7515, 4.1.11
            raise OAuth2Error("the ID token requires an extension")
        key = _key(keys, header)
        claims: dict[str, Any] = _jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise OAuth2Error(f"the ID token is not valid: {error}") from error
    _check_times(claims)
    _check_audience(claims, client_id)
    if not nonce or not secrets.compare_digest(
        str(claims.get("nonce")).encode(errors="replace"), nonce.encode()
    ):
        raise OAuth2Error("the ID token does not belong to this login: its nonce differs")
    if "at_hash" in claims and claims["at_hash"] != at_hash(access_token or "", header["alg"]):
        raise OAuth2Error("the ID token does not belong to the access token: its hash differs")
    return claims


def at_hash(access_token: str, algorithm: str) -> str:
    """Return the hash of an access token in an ID token: OpenID Connect Core 3.1.3.6.

    Args:
        access_token: the access token.
        algorithm: the ID token's signature algorithm. Ed25519 hashes with SHA-512.
    """
    size = algorithm[-3:] if algorithm[-3:] in {"256", "384"} else "512"
    digest = hashlib.new(f"sha{size}", access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _check_times(claims: dict[str, Any]) -> None:
    for name in TIMES:
        value = claims.get(name, 0)
        # PyJWT also takes "9" and True.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= END_OF_TIME:
            raise OAuth2Error(f"the ID token is not valid: {name} is not a time")
    if claims["iat"] < time.time() - MAX_AGE:
        raise OAuth2Error("the ID token was issued too long ago")


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    """Check `azp`, the client that the token was issued to; required with several audiences."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp", client_id if set(audiences) == {client_id} else None)
    if party != client_id:
        raise OAuth2Error("the ID token is not for this client")


def _key(keys: Any, header: dict[str, Any]) -> jwt.PyJWK:
    """Return the key that the header names, or the only key if it names none."""
    usable = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use != "enc"]
    named = [key for key in usable if key.key_id == header.get("kid")]
    candidates = named or (usable if "kid" not in header else [])
    if len(candidates) != 1:
        raise OAuth2Error("no single key of the provider matches the ID token")
    return candidates[0]
