"""Errors as RFC 9457 `application/problem+json`, in the caller's language."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from protected_api.texts import language_of, text

log = logging.getLogger(__name__)

CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


class Problem(HTTPException):
    """A refusal with a `code` for programs and a text (key `code`, with `values`) for people."""

    def __init__(
        self, status: int, code: str, headers: Mapping[str, str] | None = None, **values: str
    ) -> None:
        """`status` is the answer's; `code` is a key of the texts."""
        super().__init__(status, code, dict(headers or {}))
        self.code = code
        self.values = values


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> Response:
        if isinstance(error, Problem):
            return render(request, error)
        code = CODES.get(error.status_code, "bad_request")
        return render(request, Problem(error.status_code, code, error.headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Never the input itself: it may be a secret.
        errors = [{"at": list(e["loc"]), "reason": e["msg"]} for e in error.errors()]
        return render(request, Problem(422, "invalid_values"), errors=errors)

    @app.exception_handler(Exception)
    async def internal(request: Request, _: Exception) -> Response:
        return render(request, Problem(500, "internal"))


def render(request: Request, problem: Problem, **more: object) -> Response:
    """Write the problem for this caller."""
    language = language_of(request)
    status = problem.status_code
    title = f"title.{status}" if status in TITLED else "title.400"
    body = {
        "type": "about:blank",
        "title": text(title, language),
        "status": status,
        "detail": text(problem.code, language, **problem.values),
        "code": problem.code,
        **more,
    }
    headers = {**(problem.headers or {}), "Content-Language": language, "Vary": "Accept-Language"}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


TITLED = frozenset({400, 401, 403, 404, 405, 422, 500, 503})
