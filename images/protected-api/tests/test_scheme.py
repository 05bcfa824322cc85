"""The scheme under a router of one's own, in process, on a clock of the test's own."""

import asyncio
from typing import Annotated

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import FastAPI, Security

from protected_api import problems
from protected_api.auth import EntraBearer, Rules, SigningKeys, User
from protected_api.auth.tokens import LEEWAY, has_role, has_scope
from tests.signer import CLIENT, TENANT, Key, Signer

KEY = Key()
SIGNER = Signer("https://issuer.example/v2.0", KEY)


async def published() -> dict[str, RSAPublicKey]:
    """What the issuer has."""
    return {KEY.kid: KEY.public}


class Clock:
    """Unix seconds, as the test wants them."""

    now = 1_800_000_000


@pytest.fixture
def clock() -> Clock:
    """Some moment."""
    return Clock()


@pytest.fixture
def app(clock: Clock) -> FastAPI:
    """Routes as one may write them."""
    auth = EntraBearer(
        Rules(SIGNER.issuer, CLIENT, TENANT),
        SigningKeys(published),
        authority="https://issuer.example",
        scopes={},
        now=lambda: clock.now,
    )
    app = FastAPI()
    problems.install(app)

    @app.get("/usual")
    async def usual(user: Annotated[User, Security(auth, scopes=["user_impersonation"])]) -> User:
        return user

    @app.get("/bare")
    async def bare(_: Annotated[User, Security(auth)]) -> None:
        return None

    @app.get("/both")
    async def both(
        _: Annotated[User, auth.scope("user_impersonation")],
        __: Annotated[User, auth.role("Jobs.Run")],
    ) -> None:
        return None

    return app


def ask(app: FastAPI, clock: Clock, path: str, **claims: object) -> httpx2.Response:
    """Ask with a token of that moment."""
    times = {"iat": clock.now, "nbf": clock.now, "exp": clock.now + 3600}
    return send(app, path, SIGNER.token(SIGNER.claims(**(times | claims))))


def send(app: FastAPI, path: str, token: str) -> httpx2.Response:
    """Ask with a token."""

    async def run() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get(path, headers={"Authorization": f"Bearer {token}"})

    return asyncio.run(run())


@pytest.mark.parametrize("scp", ["user_impersonation", "", " "])
def test_a_route_without_a_scope_lets_nobody_in(app: FastAPI, clock: Clock, scp: str) -> None:
    """Whoever forgets it is not open to the world."""
    answer = ask(app, clock, "/bare", scp=scp)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_a_user_that_a_route_returns_is_without_the_token(app: FastAPI, clock: Clock) -> None:
    """Nor does printing the user show it."""
    token = SIGNER.token(SIGNER.claims(iat=clock.now, nbf=clock.now, exp=clock.now + 9))
    answer = send(app, "/usual", token)
    assert answer.status_code == 200
    assert not {"access_token", "claims"} & answer.json().keys()
    assert token not in answer.text
    claims = SIGNER.claims()
    user = User(**{**claims, "claims": claims, "access_token": token})
    assert token not in f"{user!r} {user}"
    assert user.access_token == token


def test_scope_and_role_together(app: FastAPI, clock: Clock) -> None:
    """Each is asked for."""
    assert ask(app, clock, "/both", roles=["Jobs.Run"]).status_code == 200
    assert ask(app, clock, "/both").json()["code"] == "role_missing"
    assert ask(app, clock, "/both", roles=["Jobs.Run"], scp="x").json()["code"] == "scope_missing"


def test_the_last_moment(app: FastAPI, clock: Clock) -> None:
    """A token ends at `exp` and the leeway, to the second; it begins as early."""
    token = SIGNER.token(SIGNER.claims(iat=clock.now, nbf=clock.now, exp=clock.now + 100))
    begun = clock.now
    for second, status in [
        (-LEEWAY - 1, 401),
        (-LEEWAY, 200),
        (100 + LEEWAY - 1, 200),
        (100 + LEEWAY, 401),
    ]:
        clock.now = begun + second
        assert send(app, "/usual", token).status_code == status


@pytest.mark.parametrize("value", [None, "a", "a b", 5, {"a": 1}, [["a"]]])
def test_roles_are_a_list_and_scopes_a_string(value: object) -> None:
    """Whatever else a signed token may hold."""
    assert not has_role({"roles": value}, "a")
    assert not has_scope({"scp": value}, "b") or value == "a b"
    assert not has_scope({"scp": value}, "")
