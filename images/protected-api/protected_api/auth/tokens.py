"""What an access token must be. The signature comes first: without it, no claim counts."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode

MAX_LENGTH = 16_000
"""Characters; 200 groups, the most that Entra puts in a token, make about 11,000."""

LEEWAY = 30
"""Seconds by which our clock and the issuer's may differ."""

SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""RFC 7515, section 3.1, without the unsigned form."""


class TokenRefused(Exception):
    """Why a token is not accepted: a key of the texts."""

    def __init__(self, code: str) -> None:
        """`code` is for programs and for `texts`."""
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Rules:
    """Whose tokens are accepted, and for whom they must have been made."""

    issuer: str
    audience: str
    tenant: str
    clients: frozenset[str] = frozenset()
    """Applications that may have asked for the token; empty: any that the tenant lets."""


def key_name(token: str) -> str:
    """The `kid` of a token that may be worth a look."""
    if len(token) > MAX_LENGTH or not SHAPE.fullmatch(token):
        raise TokenRefused("token_malformed")
    try:
        header = json.loads(base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError):
        raise TokenRefused("token_malformed") from None
    if not isinstance(header, dict):
        raise TokenRefused("token_malformed")
    kid = header.get("kid")
    # `crit` names extensions that must be understood (RFC 7515, section 4.1.11): we know none.
    if header.get("alg") != "RS256" or not isinstance(kid, str) or "crit" in header:
        raise TokenRefused("token_malformed")
    return kid


def verify(token: str, key: RSAPublicKey | None, rules: Rules, now: float) -> dict[str, Any]:
    """The claims of a token that is signed by `key` and keeps the rules at `now` (Unix seconds)."""
    if key is None:
        raise TokenRefused("token_unverified")
    try:
        payload = jwt.PyJWS().decode(token, key, algorithms=["RS256"])
    except jwt.PyJWTError:
        raise TokenRefused("token_unverified") from None
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise TokenRefused("token_malformed") from None
    if not isinstance(claims, dict):
        raise TokenRefused("token_malformed")
    _check_times(claims, now)
    _check_origin(claims, rules)
    return claims


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    for name in ("exp", "nbf", "iat"):
        # `True` is an int to Python.
        if type(claims.get(name)) is not int:
            raise TokenRefused("token_claims")
    if now >= claims["exp"] + LEEWAY:
        raise TokenRefused("token_expired")
    if claims["nbf"] > now + LEEWAY or claims["iat"] > now + LEEWAY:
        raise TokenRefused("token_claims")


def _check_origin(claims: Mapping[str, Any], rules: Rules) -> None:
    required = {"iss": rules.issuer, "aud": rules.audience, "tid": rules.tenant, "ver": "2.0"}
    if any(claims.get(name) != value for name, value in required.items()):
        raise TokenRefused("token_claims")
    for name in ("sub", "azp"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise TokenRefused("token_claims")
    if rules.clients and claims["azp"] not in rules.clients:
        raise TokenRefused("client_refused")


def has_scope(claims: Mapping[str, Any], name: str) -> bool:
    """Whether a user let the client do this: `scp` is one string, its words parted by spaces."""
    scopes = claims.get("scp")
    return isinstance(scopes, str) and name != "" and name in scopes.split(" ")


def has_role(claims: Mapping[str, Any], name: str) -> bool:
    """Whether an administrator gave this app role, to a user or to an application."""
    roles = claims.get("roles")
    return isinstance(roles, list) and name in roles


def is_application(claims: Mapping[str, Any]) -> bool:
    """Whether no user is behind the token: an application signed in for itself."""
    return claims.get("idtyp") == "app" or "scp" not in claims
