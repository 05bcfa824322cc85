"""Errors that no middleware sees."""

import asyncio

import httpx2

from protected_api.app import create_app
from protected_api.settings import Settings
from tests.signer import CLIENT, TENANT


def test_an_internal_error_says_nothing_and_is_not_kept() -> None:
    """A problem as every other, without the exception's text."""
    app = create_app(Settings(client_id=CLIENT, tenant_id=TENANT))

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("what nobody should read")

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/broken")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["code"] == "internal"
    assert "nobody" not in answer.text
