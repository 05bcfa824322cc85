"""Logs: one JSON object a line on standard output, without tokens, codes or query strings."""

import json
import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

access = logging.getLogger("protected_api.access")

SECRETS = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)*"  # anything that begins as a JWT does
    r"|(?i:\bbearer\s+)\S+"
    r"|(?i:\b(?:access_token|assertion|client_secret|code|code_verifier|id_token|refresh_token)=)[^&\s]+"
)
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}


def without_secrets(text: str) -> str:
    """The text with all that looks like a credential cut out: the last net, not the first."""
    return SECRETS.sub("[removed]", text)


class JsonLines(logging.Formatter):
    """`time`, `level`, `logger`, `message`, then whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {k: v for k, v in record.__dict__.items() if k not in STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = type(record.exc_info[1]).__name__
            # Places only: an exception's text may repeat what a caller sent.
            line["at"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return without_secrets(json.dumps(line, ensure_ascii=False, default=str))


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every logger of the process there."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These tell of each request that they send or serve, with its whole address.
    for chatty in ("httpx2", "httpcore2", "urllib3", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # The library under our scheme logs a malformed token as it came.
    logging.getLogger("fastapi_azure_auth").setLevel(logging.CRITICAL)


class AccessLog:
    """One line a request, with its route but never its query; and headers for every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            quiet = scope["path"] in ("/healthz", "/readyz") and status < 400
            access.log(
                logging.DEBUG if quiet else logging.INFO,
                "request",
                extra={
                    "method": scope["method"],
                    "path": getattr(scope.get("route"), "path", scope["path"]),
                    "status": status,
                    "milliseconds": round((time.perf_counter() - begun) * 1000, 1),
                },
            )
