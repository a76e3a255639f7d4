"""Validates ID tokens as OpenID Connect Core 3.1.3.7 requires, including signature and nonce.

Own code because allauth relies on the connection instead of the signature and sends no nonce.
"""

import secrets
from typing import Any

import jwt
from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# Asymmetric only: anyone who knows the client secret could forge a token signed with it.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ALGORITHMS += ["EdDSA"]
LEEWAY = 30  # seconds that two clocks may differ


def verify(
    token: Any, *, keys: Any, issuer: str, client_id: str, nonce: str | None
) -> dict[str, Any]:
    """Return the claims of a valid ID token.

    Args:
        token: the token as the provider sent it.
        keys: the provider's JSON Web Key Set.
        issuer: the expected issuer.
        client_id: the expected audience.
        nonce: the nonce that this login sent.

    Raises:
        OAuth2Error: the token is malformed, expired, or has another issuer, audience or nonce.
    """
    try:
        header = jwt.get_unverified_header(token)
        key = _key(keys, header)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError) as error:
        raise OAuth2Error(f"the ID token is not valid: {error}") from error
    if claims.get("azp", client_id) != client_id:
        raise OAuth2Error("the ID token is not for this client")
    if not nonce or not secrets.compare_digest(
        str(claims.get("nonce")).encode(errors="replace"), nonce.encode()
    ):
        raise OAuth2Error("the ID token does not belong to this login: its nonce differs")
    return claims


def _key(keys: Any, header: dict[str, Any]) -> jwt.PyJWK:
    """Return the key that the header names, or the only key if it names none."""
    usable = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use != "enc"]
    named = [key for key in usable if key.key_id == header.get("kid")]
    candidates = named or (usable if "kid" not in header else [])
    if len(candidates) != 1:
        raise OAuth2Error("no single key of the provider matches the ID token")
    return candidates[0]
