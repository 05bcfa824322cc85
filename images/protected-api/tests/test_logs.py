"""Log lines, and what is cut out of them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from protected_api.logs import configure, without_secrets
from tests.signer import Key, Signer

TOKEN = Signer("https://localhost/v2.0", Key()).token()


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines go, for one test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("INFO", stream)
    yield stream
    root.handlers[:], root.level = before, level


def test_a_line(stream: io.StringIO) -> None:
    """One object a line, with what was given beside the message."""
    logging.getLogger("x").info("said %s", "é\nè", extra={"count": 3, "of": {"a"}})
    (line,) = stream.getvalue().splitlines()
    read = json.loads(line)
    assert read.pop("time").endswith("+00:00")
    assert read == {
        "level": "INFO",
        "logger": "x",
        "message": "said é\nè",
        "count": 3,
        "of": "{'a'}",
    }


def test_an_exception_is_named_and_placed_but_not_quoted(stream: io.StringIO) -> None:
    """Its text may be what a caller sent."""
    try:
        raise ValueError("what a caller sent")
    except ValueError:
        logging.getLogger("x").exception("failed")
    read = json.loads(stream.getvalue())
    assert read["exception"] == "ValueError"
    assert "test_logs.py" in read["at"][0]
    assert "what a caller sent" not in stream.getvalue()


def test_a_token_that_slips_in_is_cut_out(stream: io.StringIO) -> None:
    """Message, values and keys of values alike."""
    logging.getLogger("x").warning("got %s", TOKEN, extra={"path": f"/{TOKEN}", "a": {TOKEN: 1}})
    for part in TOKEN.split("."):
        assert part not in stream.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        f"Bearer {TOKEN}",
        "bearer opaque-secret",
        "/?code=opaque-secret",
        "/?state=1&code=opaque-secret",
        "refresh_token=opaque-secret",
        "client_secret=opaque-secret",
        "code_verifier=opaque-secret",
    ],
)
def test_what_is_cut_out(secret: str) -> None:
    """By its look or by its name."""
    said = without_secrets(f"before {secret} after")
    assert "opaque-secret" not in said
    assert TOKEN not in said
    assert said.startswith("before ")
    assert said.endswith(" after")


def test_the_rest_stays() -> None:
    """A status code is no code, an eye is no token."""
    said = "status_code=200 barcode=5 bearer eyes"
    assert without_secrets(said).startswith("status_code=200 barcode=5 ")


@pytest.mark.parametrize(
    "path", ["/code=x", '/"code=x', "/bearer x", '/bearer x"', "/access_token=x\\", f"/{TOKEN}"]
)
def test_cutting_keeps_the_line_json(stream: io.StringIO, path: str) -> None:
    """Or anyone could hide a request from those who read the log."""
    logging.getLogger("x").info("request", extra={"path": path, "status": 404})
    read = json.loads(stream.getvalue())
    assert "[removed]" in read["path"]
    assert read["status"] == 404


def test_libraries_that_tell_too_much_are_quiet(stream: io.StringIO) -> None:
    """The one logs malformed tokens as they came, the other whole addresses."""
    logging.getLogger("fastapi_azure_auth").warning("Malformed token received. x")
    logging.getLogger("httpx2").info("GET https://localhost/?code=x")
    assert stream.getvalue() == ""
