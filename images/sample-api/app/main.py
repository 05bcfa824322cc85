"""A small API to stand behind the TLS sidecar: it says what it sees of the request."""

import asyncio
import os
from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel

app = FastAPI(title="sample-api", docs_url=None, redoc_url=None)


class Seen(BaseModel):
    """The request as the API sees it, and the words it was deployed with."""

    message: str
    greeting: str
    scheme: str
    host: str
    forwarded_proto: str | None


@app.get("/")
async def root(request: Request) -> Seen:
    """Tell what arrived through the sidecar, and what the manifest says."""
    return Seen(
        message=os.environ.get("APP_MESSAGE", ""),
        greeting=os.environ.get("APP_GREETING", ""),
        scheme=request.url.scheme,
        host=request.headers.get("host", ""),
        forwarded_proto=request.headers.get("x-forwarded-proto"),
    )


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Liveness and readiness: no dependency is asked."""
    return {"status": "ok"}


@app.get("/slow")
async def slow(seconds: Annotated[float, Query(ge=0, le=30)] = 4) -> dict[str, float]:
    """Answer late: a request that must outlive a certificate rotation."""
    await asyncio.sleep(seconds)
    return {"slept": seconds}
