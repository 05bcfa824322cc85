"""The FastAPI side of sign-in: `Security(scheme, scopes=[…])`, as with fastapi-azure-auth."""

import logging
import time
from collections.abc import Callable
from typing import Any

from fastapi import Security
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from fastapi_azure_auth import SingleTenantAzureAuthorizationCodeBearer
from fastapi_azure_auth import user as library
from fastapi_azure_auth.utils import is_guest
from pydantic import Field, ValidationError
from starlette.requests import HTTPConnection

from protected_api.auth.keys import IssuerUnavailable, SigningKeys
from protected_api.auth.tokens import (
    Rules,
    TokenRefused,
    has_role,
    has_scope,
    is_application,
    key_name,
    verify,
)
from protected_api.problems import Problem

log = logging.getLogger(__name__)


class User(library.User):
    """Who has signed in: a person, or on routes for an app role maybe an application."""

    # Neither printed nor sent by a route that returns the user as it is.
    access_token: str = Field(repr=False, exclude=True)
    claims: dict[str, Any] = Field(repr=False, exclude=True)


class EntraBearer(SingleTenantAzureAuthorizationCodeBearer):
    """A token of our tenant, for this API, with the scopes that the route names."""

    def __init__(
        self,
        rules: Rules,
        keys: SigningKeys,
        *,
        authority: str,
        scopes: dict[str, str],
        allow_guests: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`scopes` (full name: description) and `authority` are for the docs page."""
        super().__init__(
            app_client_id=rules.audience,
            tenant_id=rules.tenant,
            scopes=scopes,
            allow_guest_users=allow_guests,
            openapi_authorization_url=f"{authority}/oauth2/v2.0/authorize",
            openapi_token_url=f"{authority}/oauth2/v2.0/token",
        )
        self.scheme_name = "entra"
        self.keys = keys
        self._rules = rules
        self._now = now

    def scope(self, name: str) -> Any:  # noqa: ANN401 (as FastAPI's own `Security`)
        """Let in signed-in users whose client was given this scope."""
        return Security(self, scopes=[name])

    def role(self, name: str) -> Any:  # noqa: ANN401
        """Let in users and applications that were given this app role."""
        return Security(_Role(self, name))

    async def __call__(
        self, request: HTTPConnection, security_scopes: SecurityScopes
    ) -> library.User | None:
        """Find the user of a request, or refuse it."""
        user = await self.authenticate(request)
        if is_application(user.claims):
            raise _forbidden("user_required")
        # A route that names no scope would let in every token of the tenant's clients.
        for name in security_scopes.scopes or [""]:
            if not has_scope(user.claims, name):
                raise _forbidden("scope_missing", name=name)
        return user

    async def authenticate(self, request: HTTPConnection) -> User:
        """Who sent the request, whatever they may do."""
        try:
            token = _bearer_token(request)
            key = await self.keys.find(key_name(token))
            claims = verify(token, key, self._rules, self._now())
            guest = is_guest(claims)
            user = User(**{**claims, "claims": claims, "access_token": token, "is_guest": guest})
        except IssuerUnavailable:
            raise Problem(503, "issuer_unavailable", {"Retry-After": "5"}) from None
        except ValidationError:
            raise _unauthorized("token_claims") from None
        except TokenRefused as refused:
            raise _unauthorized(refused.code) from None
        if guest and not self.allow_guest_users:
            raise _forbidden("guest_refused")
        request.state.user = user
        return user


class _Role(SecurityBase):
    """The same scheme, for a route that asks for an app role."""

    def __init__(self, bearer: EntraBearer, name: str) -> None:
        self.model = bearer.model
        self.scheme_name = bearer.scheme_name
        self._bearer = bearer
        self._name = name

    async def __call__(self, request: HTTPConnection) -> User:
        user = await self._bearer.authenticate(request)
        if not has_role(user.claims, self._name):
            raise _forbidden("role_missing", name=self._name)
        return user


def _bearer_token(request: HTTPConnection) -> str:
    sent = request.headers.getlist("authorization")
    if len(sent) != 1:
        raise TokenRefused("token_malformed" if sent else "token_missing")
    scheme, _, token = sent[0].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused("token_missing")
    return token


def _unauthorized(code: str) -> Problem:
    log.info("token refused", extra={"code": code})
    # RFC 6750, section 3: a request without a token is told nothing of an error.
    challenge = "Bearer" if code == "token_missing" else 'Bearer error="invalid_token"'
    return Problem(401, code, {"WWW-Authenticate": challenge})


def _forbidden(code: str, **values: str) -> Problem:
    log.info("user refused", extra={"code": code})
    return Problem(403, code, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}, **values)
