"""Cross origins: how they are spelled, and how the list changes under a running API."""

import os
import socket
from pathlib import Path

import httpx2
import pytest

from protected_api.origins import Origins, normalise
from tests.issuer import Issuer
from tests.server import Server, process

PAGE, OTHER = "https://mon-dns.com", "https://20.1.2.3"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://mon-dns.com", "https://mon-dns.com"),
        (" https://Mon-DNS.com:443/\r", "https://mon-dns.com"),
        ("HTTPS://mon-dns.com:8443", "https://mon-dns.com:8443"),
        ("https://20.1.2.3", "https://20.1.2.3"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
        ("https://crème.example", "https://xn--crme-6oa.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_as_browsers_spell_them(text: str, origin: str) -> None:
    """RFC 6454, section 6.2."""
    assert normalise(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "",
        "127.0.0.1",
        "localhost:8000",
        "mon-dns.com",
        "https://",
        "https://*.mon-dns.com",
        "https://mon-dns.com/docs",
        "https://mon-dns.com?x",
        "https://mon-dns.com#x",
        "https://user@mon-dns.com",
        "https://mon-dns.com:port",
        "https://mon-dns.com:70000",
        "https://mon dns.com",
        "https://[::1",
        "http://mon-dns.com",
        "ftp://mon-dns.com",
        "javascript:alert(1)",
    ],
)
def test_no_origins(text: str) -> None:
    """What would never match, or match too much."""
    with pytest.raises(ValueError, match=r"."):
        normalise(text)


def test_the_file_is_read_anew_when_it_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Replaced, written in place, gone, back, and never believed when it cannot be read."""
    file = tmp_path / "origins"
    origins = Origins(["https://always.example"], file)
    assert PAGE not in origins
    file.write_text(f"# of the container group\n\n{PAGE}\nnot an origin\n*\n")
    assert PAGE in origins
    assert OTHER not in origins
    assert [record.message for record in caplog.records].count("origin skipped") == 2
    fresh = tmp_path / "fresh"
    fresh.write_text(OTHER)
    fresh.rename(file)
    assert OTHER in origins
    assert PAGE not in origins
    file.write_text(f"{PAGE}\n{OTHER}")
    assert PAGE in origins
    file.write_bytes(b"\xff\xfe")
    assert PAGE not in origins
    file.unlink()
    assert OTHER not in origins
    file.mkdir()
    assert OTHER not in origins
    assert "https://always.example" in origins


def test_a_change_within_the_same_instant_is_seen(tmp_path: Path) -> None:
    """A replaced file has another inode, even with the same time and size."""
    file, fresh = tmp_path / "origins", tmp_path / "fresh"
    file.write_text("https://a.example")
    origins = Origins([], file)
    assert "https://a.example" in origins
    fresh.write_text("https://b.example")
    os.utime(fresh, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    fresh.rename(file)
    assert "https://b.example" in origins
    assert "https://a.example" not in origins


def preflight(server: Server, origin: str) -> httpx2.Response:
    """What a browser asks before it sends a token across origins."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    return server.send("OPTIONS", "/me", list(asked.items()))


def test_over_the_wire(issuer: Issuer, tmp_path: Path) -> None:
    """An origin that leaves the list is refused at once, without a restart."""
    file = tmp_path / "origins"
    file.write_text(f"{PAGE}:443/\n")
    log = tmp_path / "log"
    variables = {"APP_ORIGINS_FILE": str(file), "APP_ORIGINS": "http://localhost:3000"}
    with process(issuer, log, **variables) as server:
        allowed = preflight(server, PAGE)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in allowed.headers
        assert preflight(server, "http://localhost:3000").status_code == 200
        # The refusal too must be readable for the page.
        refused = server.get("/me", Origin=PAGE)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == PAGE
        assert "Origin" in refused.headers["vary"]
        fresh = tmp_path / "fresh"
        fresh.write_text(f"{OTHER}\n")
        fresh.rename(file)
        gone = preflight(server, PAGE)
        assert gone.status_code == 400
        assert "access-control-allow-origin" not in gone.headers
        assert "access-control-allow-origin" not in server.get("/me", Origin=PAGE).headers
        assert preflight(server, OTHER).status_code == 200
        for wrong in ("null", "*", OTHER + ".evil.example", OTHER + ":8443", "http://20.1.2.3"):
            assert "access-control-allow-origin" not in preflight(server, wrong).headers


def test_only_loopback_listens(issuer: Issuer, tmp_path: Path) -> None:
    """Plain HTTP is for the sidecar beside it."""
    with process(issuer, tmp_path / "log") as server:
        port = int(server.url.rpartition(":")[2])
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.2", port))
