"""Cross origins: which pages of other addresses may call this API from a browser.

The file is written by whoever knows the addresses and is read anew when it has changed, so that an
address comes and goes without a restart.
"""

import ipaddress
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import idna
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


def normalise(text: str) -> str:
    """Spell an origin as browsers do (RFC 6454); `ValueError` says what is no origin."""
    parts = urlsplit(text.strip())
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{text!r} is no origin: it must be https://HOST or https://HOST:PORT")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r} is no origin: nothing may follow its host and port")
    host = _host(parts.hostname)
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError(f"{text!r} is not safe: plain http is for localhost only")
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return f"[{address.compressed}]" if address.version == 6 else str(address)
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError(f"{host!r} is no host name") from None


class Origins:
    """The origins that are allowed now: those of the settings and those of the file."""

    def __init__(self, always: Iterable[str], file: Path | None) -> None:
        """`always` is normalised already; `file` has one origin a line and may be missing."""
        self._always = frozenset(always)
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._listed: frozenset[str] = frozenset()

    def __contains__(self, origin: str) -> bool:
        """Whether a page of this origin may call; looks whether the file has changed."""
        self._look()
        return origin in self._always or origin in self._listed

    def _look(self) -> None:
        if self._file is None:
            return
        try:
            status = os.stat(self._file)
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._listed = self._read(self._file.read_text(encoding="utf-8"))
                log.info("origins read", extra={"origins": sorted(self._listed)})
            self._seen = seen
        except FileNotFoundError:
            self._seen, self._listed = None, frozenset()
        except (OSError, UnicodeDecodeError) as error:
            # Unreadable is not absent, but an address that was lost must not stay allowed.
            log.warning("origins file unreadable", extra={"error": type(error).__name__})
            self._seen, self._listed = None, frozenset()

    def _read(self, text: str) -> frozenset[str]:
        listed = set()
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                listed.add(normalise(line))
            except ValueError as error:
                log.warning("origin skipped", extra={"line": number, "error": str(error)})
        return frozenset(listed)


class Cors(CORSMiddleware):
    """Starlette's, with a list that changes. No cookies: a bearer token is sent by a script."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        """Allow `origins` what this API's own page may do."""
        super().__init__(
            app,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Traceparent"],
            expose_headers=["Retry-After", "WWW-Authenticate"],
            allow_credentials=False,
            # A preflight that a browser keeps outlives the origin's stay on the list.
            max_age=60,
        )
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether the list has this origin now, exactly."""
        return origin in self._origins
