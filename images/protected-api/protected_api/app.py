"""The application, put together from its settings."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from protected_api import docs, problems, telemetry
from protected_api.auth import EntraBearer, Rules, SigningKeys, fetch_keys
from protected_api.logs import AccessLog
from protected_api.origins import Cors, Origins
from protected_api.problems import Problem
from protected_api.routes import SCOPES, routes
from protected_api.settings import Settings


def create_app(
    settings: Settings, keys: SigningKeys | None = None, now: Callable[[], float] = time.time
) -> FastAPI:
    """Build the application; it starts whether or not the issuer answers."""
    keys = keys or SigningKeys(partial(fetch_keys, settings.issuer))
    traces = telemetry.start()
    app = FastAPI(
        title="Protected API",
        version="1.0.0",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # FastAPI's own tells queries and the words of exceptions; see `telemetry`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=partial(_lifespan, keys=keys, close=traces[1] if traces else None),
    )
    auth = EntraBearer(
        Rules(settings.issuer, settings.client_id, settings.tenant_id, settings.clients),
        keys,
        authority=settings.authority,
        scopes={settings.scope: settings.scope_name}
        | {f"{settings.resource}/{name}": description for name, description in SCOPES.items()},
        allow_guests=settings.allow_guests,
        now=now,
    )
    app.include_router(routes(auth, settings.scope_name), responses=problems.RESPONSES)
    _add_probes(app, keys)
    docs.install(app, settings)
    problems.install(app)
    # The last one added is the outermost.
    if traces:
        app.add_middleware(telemetry.Traces, tracer=traces[0])
    app.add_middleware(Cors, origins=Origins(settings.origins, settings.origins_file))
    app.add_middleware(AccessLog)
    return app


@asynccontextmanager
async def _lifespan(
    _: FastAPI, keys: SigningKeys, close: Callable[[], None] | None
) -> AsyncIterator[None]:
    renewal = asyncio.create_task(keys.run())
    yield
    renewal.cancel()
    with suppress(asyncio.CancelledError):
        await renewal
    await keys.close()
    if close:
        await asyncio.to_thread(close)


def _add_probes(app: FastAPI, keys: SigningKeys) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> dict[str, str]:
        if not keys.known:
            raise Problem(503, "issuer_unavailable", {"Retry-After": "5"})
        return {"status": "ok"}
