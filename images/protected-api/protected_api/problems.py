"""Errors as RFC 9457 `application/problem+json`, in the caller's language."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from protected_api.texts import TEXTS, language_of, text


class Problem(HTTPException):
    """A refusal with a `code` for programs and a text (key `code`, with `values`) for people."""

    def __init__(
        self, status: int, code: str, headers: Mapping[str, str] | None = None, **values: str
    ) -> None:
        """`status` is the answer's; `code` is a key of the texts."""
        super().__init__(status, code, dict(headers or {}))
        self.code = code
        self.values = values


class Document(BaseModel):
    """A problem as it is sent."""

    type: str
    title: str
    status: int
    detail: str
    code: str


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": said,
        "content": {"application/problem+json": {"schema": Document.model_json_schema()}},
    }
    for status, said in {401: "No good token", 403: "Not allowed", 503: "Issuer away"}.items()
}
"""What a protected route may answer beside its own, for the OpenAPI document."""


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> Response:
        return render(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Never the input itself: it may be a secret.
        errors = [{"at": list(e["loc"]), "reason": e["msg"]} for e in error.errors()]
        return render(request, Problem(422, "invalid_values"), errors=errors)

    @app.exception_handler(Exception)
    async def internal(request: Request, _: Exception) -> Response:
        return render(request, Problem(500, "internal"))


def render(request: Request, error: StarletteHTTPException, **more: object) -> Response:
    """Write the error for this caller; one that is no `Problem` keeps its own words."""
    language, status = language_of(request), HTTPStatus(error.status_code)
    if isinstance(error, Problem):
        code, detail = error.code, text(error.code, language, **error.values)
    else:
        code = status.name.lower()
        detail = text(code, language) if code in TEXTS else error.detail
    title = f"title.{status.value}"
    document = Document(
        type="about:blank",
        title=text(title, language) if title in TEXTS else status.phrase,
        status=status.value,
        detail=detail,
        code=code,
    )
    headers = {
        **(error.headers or {}),
        # Said here too: an internal error is answered outside all middleware.
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    return JSONResponse(
        document.model_dump() | more, status, headers, media_type="application/problem+json"
    )
