"""The check of an ID token, as OpenID Connect Core 3.1.3.7 asks, signature and nonce included.

Own code because allauth trusts the connection instead of the signature and sends no nonce.
"""

import secrets
from typing import Any

import jwt
from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# Only where the key that checks cannot sign: the client secret must not be able to make a token.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ALGORITHMS += ["EdDSA"]
LEEWAY = 30  # seconds that two clocks may differ


def verify(
    token: Any, *, keys: Any, issuer: str, client_id: str, nonce: str | None
) -> dict[str, Any]:
    """Return the claims of an ID token.

    Args:
        token: the token as the provider sent it.
        keys: the provider's JSON Web Key Set.
        issuer: who must have made it.
        client_id: for whom it must be.
        nonce: what this very login sent along.

    Raises:
        OAuth2Error: it is malformed, expired, or not made by, for or in answer to these.
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
    if not nonce or not secrets.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise OAuth2Error("the ID token does not belong to this login: another nonce")
    return claims


def _key(keys: Any, header: dict[str, Any]) -> jwt.PyJWK:
    """Return the key that the header names; a set of one key needs no name."""
    usable = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use != "enc"]
    named = [key for key in usable if key.key_id == header.get("kid")]
    candidates = named or (usable if "kid" not in header else [])
    if len(candidates) != 1:
        raise OAuth2Error("the ID token names no key of the provider")
    return candidates[0]
