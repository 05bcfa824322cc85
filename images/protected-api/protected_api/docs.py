"""The interactive documentation: Swagger UI from this very address, signing in with PKCE."""

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from protected_api.settings import Settings
from protected_api.texts import LANGUAGES, Language, language_of, text

STATIC = Path(__file__).parent / "static"
REDIRECT = "/oauth2-redirect"


def install(app: FastAPI, settings: Settings) -> None:
    """Add `/openapi.json`, and with a client that signs in `/docs` and what belongs to it."""
    documents: dict[Language, dict[str, Any]] = {}

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        language = language_of(request)
        if language not in documents:
            documents.update({each: _document(app, settings, each) for each in LANGUAGES})
        return JSONResponse(documents[language], headers=_spoken(language))

    if settings.swagger_client_id:
        _install_pages(app, settings)


def _install_pages(app: FastAPI, settings: Settings) -> None:
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    policy = {"Content-Security-Policy": _policy(settings), "X-Frame-Options": "DENY"}
    script = _script(settings)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        language = language_of(request)
        # The sign-in window must still find its opener: `same-origin` would cut it off.
        opener = {"Cross-Origin-Opener-Policy": "same-origin-allow-popups"}
        title = text("api.title", language)
        page = PAGE.format(language=language, title=title, body=_docs_body(language))
        return HTMLResponse(page, headers=policy | opener | _spoken(language))

    @app.get("/docs/init.js", include_in_schema=False)
    async def init() -> Response:
        return Response(script, media_type="text/javascript", headers=policy)

    # No opener policy here, of any kind: this page hands the code to the window that opened it.
    @app.get(REDIRECT, include_in_schema=False)
    async def redirect(request: Request) -> Response:
        language = language_of(request)
        title = text("page.redirect", language)
        page = PAGE.format(language=language, title=title, body=REDIRECT_BODY.format(title=title))
        return HTMLResponse(page, headers=policy | _spoken(language))


PAGE = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/static/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/static/swagger-ui/swagger-ui.css"></head>
<body>{body}</body>
</html>
"""

REDIRECT_BODY = '<p>{title}</p><script src="/static/swagger-ui/oauth2-redirect.js"></script>'


def _docs_body(language: Language) -> str:
    return (
        f'<div id="swagger-ui"></div><noscript>{text("page.script", language)}</noscript>'
        '<script src="/static/swagger-ui/swagger-ui-bundle.js"></script>'
        '<script src="/docs/init.js"></script>'
    )


def _policy(settings: Settings) -> str:
    authority = urlsplit(settings.authority)
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            # Swagger UI sets style attributes.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            # The authority, because the page itself exchanges the code for the token.
            f"connect-src 'self' {authority.scheme}://{authority.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _script(settings: Settings) -> str:
    ui = {
        "url": "/openapi.json",
        "dom_id": "#swagger-ui",
        "deepLinking": True,
        "layout": "BaseLayout",
        # The token stays in the page's memory.
        "persistAuthorization": False,
        "validatorUrl": None,
    }
    sign_in = {
        "clientId": settings.swagger_client_id,
        "scopes": settings.scope,
        "usePkceWithAuthorizationCodeGrant": True,
    }
    return (
        f"const options = {json.dumps(ui)};\n"
        f"options.oauth2RedirectUrl = window.location.origin + {json.dumps(REDIRECT)};\n"
        "options.presets = [SwaggerUIBundle.presets.apis];\n"
        "window.ui = SwaggerUIBundle(options);\n"
        f"window.ui.initOAuth({json.dumps(sign_in)});\n"
    )


def _document(app: FastAPI, settings: Settings, language: Language) -> dict[str, Any]:
    """The OpenAPI document in a language, its scopes in full, as the issuer wants them."""
    document = copy.deepcopy(app.openapi())
    document["info"]["title"] = text("api.title", language)
    document["info"]["description"] = text("api.description", language)
    for scheme in document.get("components", {}).get("securitySchemes", {}).values():
        scheme["description"] = text("api.scheme", language)
    for path in document["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", []):
                for scheme, scopes in requirement.items():
                    requirement[scheme] = [f"{settings.resource}/{name}" for name in scopes]
    return document


def _spoken(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
