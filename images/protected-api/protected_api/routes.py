"""The API itself: the file to replace. Every route names the scope or app role that it needs."""

from typing import Annotated, Any

from fastapi import APIRouter, Request

from protected_api.auth import EntraBearer, User
from protected_api.texts import language_of, text

SCOPES = {"Reports.Read": "Reports.Read"}
"""Scopes beside the one that every user's token carries, for the docs page to offer."""


def routes(auth: EntraBearer, scope: str) -> APIRouter:
    """The routes; `scope` is the name of the scope that every user's token carries."""
    router = APIRouter()

    @router.get("/")
    async def hello(request: Request, user: Annotated[User, auth.scope(scope)]) -> dict[str, str]:
        """Greet who has signed in."""
        return {"message": text("hello", language_of(request), name=user.name or user.sub)}

    @router.get("/me")
    async def me(user: Annotated[User, auth.scope(scope)]) -> dict[str, Any]:
        """Tell callers what the token says of them."""
        return {
            "name": user.name,
            "username": user.preferred_username,
            "oid": user.oid,
            "tid": user.tid,
            "client": user.azp,
            "scopes": user.scp,
            "roles": user.roles,
            "guest": user.is_guest,
        }

    @router.get("/reports")
    async def reports(_: Annotated[User, auth.scope("Reports.Read")]) -> dict[str, list[str]]:
        """List reports: only for clients that were given a further scope."""
        return {"reports": ["2026"]}

    @router.get("/jobs")
    async def jobs(user: Annotated[User, auth.role("Jobs.Run")]) -> dict[str, str]:
        """Run jobs: for users and for applications that were given an app role."""
        return {"run_by": user.oid or user.sub}

    return router
