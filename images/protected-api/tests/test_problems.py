"""Errors of a router of one's own, in process."""

import asyncio
import logging

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from protected_api import problems
from protected_api.logs import AccessLog
from protected_api.problems import Problem


class Order(BaseModel):
    """What is sent."""

    count: int


@pytest.fixture
def app() -> FastAPI:
    """An application with every kind of error."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(AccessLog)

    @app.get("/taken")
    async def taken() -> None:
        raise HTTPException(409, "The name is taken.", {"X-More": "1"})

    @app.get("/away")
    async def away() -> None:
        raise Problem(503, "issuer_unavailable", {"Retry-After": "5"})

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("what a caller sent")

    @app.post("/orders")
    async def orders(order: Order) -> Order:
        return order

    return app


def ask(app: FastAPI, method: str, path: str, json: object = None) -> httpx2.Response:
    """Ask in French, in process."""

    async def run() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path, json=json, headers={"Accept-Language": "fr"})

    answer = asyncio.run(run())
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "fr"
    return answer


def test_an_error_of_fastapis_keeps_its_words(app: FastAPI) -> None:
    """Whoever writes a router need not know of problems."""
    answer = ask(app, "GET", "/taken")
    assert answer.headers["x-more"] == "1"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "The name is taken.",
        "code": "conflict",
    }


def test_a_problem_speaks_the_callers_language(app: FastAPI) -> None:
    """With its headers."""
    answer = ask(app, "GET", "/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["title"] == "Temporairement indisponible"


def test_invalid_values_are_named_but_not_repeated(app: FastAPI) -> None:
    """They may be secrets."""
    answer = ask(app, "POST", "/orders", {"count": "very-secret"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_values"
    assert answer.json()["errors"][0]["at"] == ["body", "count"]
    assert "very-secret" not in answer.text


def test_a_fault_of_ours_tells_nothing(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does the access log."""
    caplog.set_level(logging.INFO)
    answer = ask(app, "GET", "/broken")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    # It is answered outside all middleware.
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "what a caller sent" not in answer.text
    assert "what a caller sent" not in caplog.text
    assert [record.__dict__["status"] for record in caplog.records if record.msg == "request"] == [
        500
    ]
