"""Who gets in and who does not, over the wire: against the process and against the image."""

import json
from pathlib import Path

import pytest

from tests.issuer import Issuer
from tests.refusals import Refusal, refusals
from tests.server import Server, process
from tests.signer import MISSING, NAME, SWAGGER, USER

TABLE = refusals()


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_refused(server: Server, issuer: Issuer, case: Refusal) -> None:
    """The answer is the one in the table, says nothing of the token, and neither does the log."""
    token = issuer.signer.token()
    sent = [*case.send(issuer.signer)]
    path = case.path.format(token=token)
    answer = server.send("GET", path, sent)
    assert answer.status_code == case.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == case.code
    assert answer.json()["status"] == case.status
    _no_secret(server, [*(value for _, value in sent), path])


def test_the_table_is_whole() -> None:
    """Each case has a name of its own."""
    assert len({case.name for case in TABLE}) == len(TABLE) >= 65


def _no_secret(server: Server, sent: list[str]) -> None:
    log = server.log.read_text()
    for value in sent:
        for part in value.replace("=", " ").replace(",", " ").replace(".", " ").split():
            assert len(part) < 16 or part not in log


@pytest.mark.parametrize("path", ["/", "/me"])
def test_a_user_is_let_in(server: Server, issuer: Issuer, path: str) -> None:
    """The same tokens as in the table, unharmed."""
    answer = server.get(path, issuer.signer.token())
    assert answer.status_code == 200, answer.text
    assert NAME in answer.text


def test_me_says_what_the_token_says(server: Server, issuer: Issuer) -> None:
    """And never the token."""
    signer = issuer.signer
    token = signer.token(signer.claims(scp="user_impersonation Reports.Read", roles=["Jobs.Run"]))
    answer = server.get("/me", token)
    assert answer.json() == {
        "name": NAME,
        "username": "zoe@example.com",
        "oid": USER,
        "tid": signer.claims()["tid"],
        "client": SWAGGER,
        "scopes": ["user_impersonation", "Reports.Read"],
        "roles": ["Jobs.Run"],
        "guest": False,
    }
    _no_secret(server, [token])


def test_scope_and_role_let_in(server: Server, issuer: Issuer) -> None:
    """A further scope opens its route; a role opens its own, to users and applications."""
    signer = issuer.signer
    reader = signer.claims(scp="user_impersonation Reports.Read")
    assert server.get("/reports", signer.token(reader)).status_code == 200
    runner = signer.claims(roles=["Jobs.Run"])
    assert server.get("/jobs", signer.token(runner)).status_code == 200
    assert server.get("/jobs", signer.token(signer.application())).status_code == 200


def test_the_scheme_is_named_in_any_case(server: Server, issuer: Issuer) -> None:
    """RFC 9110, section 11.1."""
    headers = {"Authorization": f"bearer {issuer.signer.token()}"}
    assert server.get("/me", None, **headers).status_code == 200


def test_clocks_may_differ_a_little(server: Server, issuer: Issuer) -> None:
    """A token issued by a clock ten seconds ahead is good."""
    signer = issuer.signer
    ahead = signer.claims()["iat"] + 310
    assert server.get("/me", signer.token(signer.claims(iat=ahead, nbf=ahead))).status_code == 200


def test_guests_and_other_clients_where_the_settings_let_them(
    issuer: Issuer, tmp_path: Path
) -> None:
    """Guests by a setting; any client of the tenant where none is named."""
    variables = {"APP_ALLOW_GUESTS": "true", "APP_SWAGGER_CLIENT_ID": "", "APP_ALLOWED_CLIENTS": ""}
    signer = issuer.signer
    with process(issuer, tmp_path / "log", **variables) as server:
        guest = server.get("/me", signer.token(signer.claims(acct=1)))
        assert (guest.status_code, guest.json()["guest"]) == (200, True)
        other = signer.claims(azp="99999999-9999-4999-8999-999999999999")
        assert server.get("/me", signer.token(other)).status_code == 200
        nameless = signer.claims(azp=MISSING)
        assert server.get("/me", signer.token(nameless)).status_code == 401


def test_every_route_but_the_open_ones_asks_for_a_token(server: Server) -> None:
    """Also those that come with a router of your own."""
    document = server.get("/openapi.json").json()
    assert document["paths"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["security"], path
            answer = server.send(method, path)
            assert answer.status_code == 401, path


def test_open_routes(server: Server) -> None:
    """Probes need no token."""
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.get("/readyz").json() == {"status": "ok"}


def test_errors_speak_the_callers_language(server: Server, issuer: Issuer) -> None:
    """French and English; English where neither is asked for."""
    signer = issuer.signer
    token = signer.token(signer.claims(scp="other"))
    french = server.get("/me", token, **{"Accept-Language": "de, fr-CA;q=0.9, en;q=0.8"})
    assert french.headers["content-language"] == "fr"
    assert "Accept-Language" in french.headers["vary"]
    assert french.json() == {
        "type": "about:blank",
        "title": "Accès refusé",
        "status": 403,
        "detail": "Il manque au jeton l'étendue requise ici : user_impersonation.",
        "code": "scope_missing",
    }
    english = server.get("/me", token, **{"Accept-Language": "de"})
    assert english.json()["title"] == "Not allowed"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/me", 405)]
)
def test_other_errors_are_problems_too(server: Server, method: str, path: str, status: int) -> None:
    """One form for every error."""
    answer = server.send(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_the_log_is_json_lines_without_queries(server: Server, issuer: Issuer) -> None:
    """A code in a query, and a token in a path, stay out of it."""
    token = issuer.signer.token()
    server.get("/oauth2-redirect?code=very-secret-code&state=s")
    server.get(f"/{token}")
    _no_secret(server, [token])
    log = server.log.read_text()
    assert "very-secret-code" not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(x) for x in lines))
    assert any(x.get("path") == "/oauth2-redirect" and x["status"] == 200 for x in lines)
