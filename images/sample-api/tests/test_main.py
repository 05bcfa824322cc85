"""The sample API, in process."""

import pytest
from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app, base_url="http://mon-dns.com")


def test_root_says_what_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Message and greeting come from the environment, the rest from the request."""
    monkeypatch.setenv("APP_MESSAGE", "1.0")
    monkeypatch.setenv("APP_GREETING", "hello")
    answer = client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    assert answer.json() == {
        "message": "1.0",
        "greeting": "hello",
        "scheme": "http",
        "host": "mon-dns.com",
        "forwarded_proto": "https",
    }


def test_healthz() -> None:
    """Probes read the status code only."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_slow_answers_after_the_asked_time() -> None:
    """The time asked for comes back."""
    assert client.get("/slow", params={"seconds": 0.01}).json() == {"slept": 0.01}


@pytest.mark.parametrize("seconds", ["-1", "31", "nan", "x"])
def test_slow_refuses_impossible_times(seconds: str) -> None:
    """Nobody holds a worker for longer than 30 s."""
    assert client.get("/slow", params={"seconds": seconds}).status_code == 422
