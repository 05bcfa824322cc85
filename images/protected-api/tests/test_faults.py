"""What signed-in users see while their issuer has trouble: nothing, wherever that can be."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.issuer import Issuer
from tests.load import Load, users
from tests.server import Server, process
from tests.signer import Key


def until(load: Load, more: int) -> None:
    """Wait for so many more requests."""
    enough = load.total + more
    while load.total < enough:
        time.sleep(0.005)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the API's log goes."""
    return tmp_path / "log"


def test_key_rotation_fails_no_request(own_issuer: Issuer, log: Path) -> None:
    """Tokens of the new key from the instant it signs, tokens of the old one all along."""
    with process(own_issuer, log) as server:
        server.wait("/readyz")
        before = own_issuer.signer.token()
        with users(server, lambda: own_issuer.signer.token()) as load:
            until(load, 50)
            own_issuer.rotate()
            until(load, 50)
            assert server.get("/me", before).status_code == 200
        assert load.failed == 0, load.statuses
        assert own_issuer.fetches == 2


def test_issuer_down_fails_no_request(own_issuer: Issuer, log: Path) -> None:
    """Keys are kept; only a key that was never seen must wait, and is told so."""
    with process(own_issuer, log) as server:
        server.wait("/readyz")
        known = own_issuer.signer.token()
        with users(server, lambda: known) as load:
            own_issuer.stop()
            until(load, 50)
            own_issuer.rotate()
            new = own_issuer.signer.token()
            answer = server.get("/me", new)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["code"] == "issuer_unavailable"
            assert server.get("/readyz").status_code == 200
            own_issuer.start()
            wait_for(server, new)
        assert load.failed == 0, load.statuses


def wait_for(server: Server, token: str) -> None:
    """Ask until the token is accepted."""
    for _ in range(1000):
        if server.get("/me", token).status_code == 200:
            return
        time.sleep(0.02)
    raise TimeoutError(server.log.read_text())


def test_down_at_start(own_issuer: Issuer, log: Path) -> None:
    """The API starts, says that it is not ready, and gets ready by itself."""
    own_issuer.stop()
    with process(own_issuer, log) as server:
        ready = server.get("/readyz")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        assert ready.headers["content-type"] == "application/problem+json"
        assert server.get("/me", own_issuer.signer.token()).status_code == 503
        assert server.get("/docs").status_code == 200
        own_issuer.start()
        server.wait("/readyz")
        assert server.get("/me", own_issuer.signer.token()).status_code == 200


def test_slow_keys_at_start_are_waited_for(own_issuer: Issuer, log: Path) -> None:
    """The first requests wait rather than fail."""
    own_issuer.delay = 1
    with process(own_issuer, log) as server, ThreadPoolExecutor(8) as pool:
        tokens = [own_issuer.signer.token() for _ in range(8)]
        answers = pool.map(lambda token: server.get("/me", token).status_code, tokens)
        assert list(answers) == [200] * 8


def test_slow_keys_keep_only_new_tokens_waiting(own_issuer: Issuer, log: Path) -> None:
    """Whoever has a token of a known key does not notice."""
    with process(own_issuer, log) as server:
        server.wait("/readyz")
        known = own_issuer.signer.token()
        own_issuer.rotate()
        own_issuer.delay = 1
        answers: list[int] = []
        waiting = threading.Thread(
            target=lambda: answers.append(server.get("/me", own_issuer.signer.token()).status_code)
        )
        with users(server, lambda: known) as load:
            waiting.start()
            until(load, 20)
            waiting.join()
        assert load.failed == 0, load.statuses
        assert answers == [200]


def test_invented_key_names_do_not_reach_the_issuer(own_issuer: Issuer, log: Path) -> None:
    """Forty tokens with forty unknown keys: one more fetch."""
    with process(own_issuer, log) as server:
        server.wait("/readyz")
        forged = Key()
        for _ in range(40):
            forged.kid += "x"
            token = own_issuer.signer.token(header={"kid": forged.kid}, key=forged.private)
            assert server.get("/me", token).status_code == 401
        assert own_issuer.fetches == 2


def test_bad_entries_among_the_keys(own_issuer: Issuer, log: Path) -> None:
    """They cost nobody a request."""
    own_issuer.extra = [None, {"kid": "x", "kty": "RSA"}, {"kid": own_issuer.keys[0].kid}]
    with process(own_issuer, log) as server:
        server.wait("/readyz")
        assert server.get("/me", own_issuer.signer.token()).status_code == 200
