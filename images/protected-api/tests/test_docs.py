"""The documentation: served from here alone, under a policy that lets nothing else run."""

import json
import re
from pathlib import Path

import pytest

from tests.issuer import Issuer
from tests.server import Server, process
from tests.signer import CLIENT, SWAGGER

PAGES = ["/docs", "/oauth2-redirect"]
FULL = f"api://{CLIENT}/user_impersonation"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_but_our_own_scripts_runs(server: Server, issuer: Issuer, page: str) -> None:
    """The policy says so, and the page keeps it: no inline script, no other address."""
    answer = server.get(page)
    assert answer.status_code == 200
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    authority = issuer.authority.rpartition("/")[0]
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {authority}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", answer.text, re.DOTALL)
    assert scripts
    assert all('src="/' in attributes and not body for attributes, body in scripts)
    assert not re.search(r"https?:|//|\son\w+=|javascript:|<style|style=", answer.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        found = server.get(address)
        assert found.status_code == 200
        assert found.headers["x-content-type-options"] == "nosniff"


def test_the_sign_in_window_finds_its_way_back(server: Server) -> None:
    """An opener policy on the page that hands the code over would leave sign-in hanging."""
    assert server.get("/docs").headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    redirect = server.get("/oauth2-redirect?code=x&state=y")
    assert "cross-origin-opener-policy" not in redirect.headers
    assert redirect.headers["cache-control"] == "no-store"


def test_swagger_signs_in_with_pkce(server: Server) -> None:
    """With its own client, for the API's scope, back to the address that the page has."""
    script = server.get("/docs/init.js")
    assert script.headers["content-type"].startswith("text/javascript")
    sign_in = re.search(r"initOAuth\((.*)\);", script.text)
    assert sign_in
    assert json.loads(sign_in[1]) == {
        "clientId": SWAGGER,
        "scopes": FULL,
        "usePkceWithAuthorizationCodeGrant": True,
    }
    assert "window.location.origin + " + '"/oauth2-redirect"' in script.text


def test_the_document_names_scopes_in_full(server: Server, issuer: Issuer) -> None:
    """As the issuer wants them asked for."""
    document = server.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    flow = scheme["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == f"{issuer.authority}/oauth2/v2.0/authorize"
    assert flow["tokenUrl"] == f"{issuer.authority}/oauth2/v2.0/token"
    reports = f"api://{CLIENT}/Reports.Read"
    assert set(flow["scopes"]) == {FULL, reports}
    paths = document["paths"]
    assert paths["/me"]["get"]["security"] == [{"entra": [FULL]}]
    assert paths["/reports"]["get"]["security"] == [{"entra": [reports]}]
    assert paths["/jobs"]["get"]["security"] == [{"entra": []}]
    assert set(paths) == {"/", "/me", "/reports", "/jobs"}
    answers = paths["/me"]["get"]["responses"]
    assert set(answers) == {"200", "401", "403", "503"}
    assert "application/problem+json" in answers["403"]["content"]


def test_in_french(server: Server) -> None:
    """Pages and document, by `Accept-Language`."""
    french = {"Accept-Language": "fr"}
    docs = server.get("/docs", **french)
    assert '<html lang="fr">' in docs.text
    assert "<title>API protégée</title>" in docs.text
    assert docs.headers["content-language"] == "fr"
    assert "Connexion en cours…" in server.get("/oauth2-redirect", **french).text
    document = server.get("/openapi.json", **french).json()
    assert document["info"]["title"] == "API protégée"
    assert "PKCE" in document["components"]["securitySchemes"]["entra"]["description"]
    assert server.get("/openapi.json").json()["info"]["title"] == "Protected API"


def test_no_docs_without_a_client(issuer: Issuer, tmp_path: Path) -> None:
    """Nothing to sign in with: no page, no scripts; the document stays."""
    with process(issuer, tmp_path / "log", APP_SWAGGER_CLIENT_ID="") as server:
        for path in [*PAGES, "/docs/init.js", "/static/swagger-ui/swagger-ui.css"]:
            assert server.get(path).status_code == 404
        assert server.get("/openapi.json").status_code == 200


def test_static_files_only(server: Server) -> None:
    """No way out of the folder."""
    for path in ("/static/../routes.py", "/static/%2e%2e%2froutes.py", "/static/"):
        assert server.get(path).status_code == 404
