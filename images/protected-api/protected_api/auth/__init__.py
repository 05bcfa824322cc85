"""Sign-in: the part to keep. `EntraBearer` is the scheme, `User` who has signed in."""

from protected_api.auth.keys import IssuerUnavailable, Pace, SigningKeys, fetch_keys
from protected_api.auth.scheme import EntraBearer, User
from protected_api.auth.tokens import Rules, TokenRefused

__all__ = [
    "EntraBearer",
    "IssuerUnavailable",
    "Pace",
    "Rules",
    "SigningKeys",
    "TokenRefused",
    "User",
    "fetch_keys",
]
