"""Tokens: as Entra issues them, and as an attacker would like them to be."""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm, get_default_algorithms

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
SWAGGER = "33333333-3333-4333-8333-333333333333"
DAEMON = "44444444-4444-4444-8444-444444444444"
USER = "55555555-5555-4555-8555-555555555555"
NAME = "Zoé Confidential"

MISSING = object()
"""As a claim's value: the claim is left out."""


class Key:
    """A key pair with its name."""

    def __init__(self, kid: str | None = None, bits: int = 2048) -> None:
        """Make a pair that nobody knows."""
        self.kid = kid or uuid.uuid4().hex
        self.private = rsa.generate_private_key(65537, bits)
        self.public = self.private.public_key()

    def jwk(self) -> dict[str, Any]:
        """The entry that an issuer publishes."""
        public = RSAAlgorithm.to_jwk(self.public, as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": public["n"], "e": public["e"]}


class Signer:
    """Makes tokens in an issuer's name."""

    def __init__(self, issuer: str, key: Key) -> None:
        """`issuer` is the `iss` of every token."""
        self.issuer = issuer
        self.key = key

    def claims(self, **changes: object) -> dict[str, Any]:
        """The claims of a user's access token, version 2.0, with changes."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": CLIENT,
            "iss": self.issuer,
            "iat": now - 300,
            "nbf": now - 300,
            "exp": now + 3600,
            "ver": "2.0",
            "tid": TENANT,
            "oid": USER,
            "sub": "subject-" + uuid.uuid4().hex,
            "azp": SWAGGER,
            "azpacr": "0",
            "name": NAME,
            "preferred_username": "zoe@example.com",
            "scp": "user_impersonation",
            "uti": uuid.uuid4().hex,
        }
        return {k: v for k, v in (claims | changes).items() if v is not MISSING}

    def application(self, **changes: object) -> dict[str, Any]:
        """The claims of a token that an application got for itself, with changes."""
        alone = {"oid": DAEMON, "sub": DAEMON, "azp": DAEMON, "azpacr": "1", "idtyp": "app"}
        gone = {"scp": MISSING, "name": MISSING, "preferred_username": MISSING}
        return self.claims(**{**alone, **gone, "roles": ["Jobs.Run"], **changes})

    def token(
        self,
        claims: Mapping[str, Any] | None = None,
        *,
        header: Mapping[str, object] | None = None,
        key: object = None,
        algorithm: str = "RS256",
    ) -> str:
        """Sign claims; by default a good user's, by the current key."""
        head = {"typ": "JWT", "alg": algorithm, "kid": self.key.kid, **(header or {})}
        head = {k: v for k, v in head.items() if v is not MISSING}
        body = self.claims() if claims is None else claims
        signed = f"{encode(head)}.{encode(body)}"
        with_key = self.key.private if key is None else key
        return f"{signed}.{sign(algorithm, signed, with_key)}"


def sign(algorithm: str, signed: str, key: object) -> str:
    """The third part of a token."""
    if algorithm.lower() == "none":
        return ""
    return base64url(get_default_algorithms()[algorithm].sign(signed.encode(), key))


def encode(part: object) -> str:
    """A part of a token as it is sent."""
    return base64url(json.dumps(part).encode())


def base64url(data: bytes) -> str:
    """RFC 4648, section 5, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> Any:  # noqa: ANN401
    """A part of a token, read."""
    return json.loads(jwt.utils.base64url_decode(part))
