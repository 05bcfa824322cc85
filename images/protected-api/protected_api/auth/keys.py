"""The issuer's signing keys: fetched beside the requests, kept while the issuer is away."""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

log = logging.getLogger(__name__)

Keys = Mapping[str, RSAPublicKey]
"""Public keys by their `kid`."""

MIN_KEY_BITS = 2048


class IssuerUnavailable(Exception):
    """No token can be judged now: the keys are not known, and the issuer does not answer."""


@dataclass(frozen=True)
class Pace:
    """How often the issuer is asked; all in seconds."""

    refresh: float = 3600
    """Between two fetches that nobody waits for."""
    demand: float = 30
    """Between two fetches that a token with an unknown key may cause."""
    retry: float = 1
    """After a failure; doubled with each further one, up to `demand`."""
    stale: float = 24 * 3600
    """How long keys are believed after the last fetch that succeeded."""
    timeout: float = 10
    """For one fetch as a whole."""


class SigningKeys:
    """The keys known now. `run` renews them; `find` asks for one that is not known yet."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Keys]],
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        """`fetch` asks the issuer and may raise whatever it likes."""
        self._fetch = fetch
        self._clock = clock
        self._pace = pace or Pace()
        self._keys: Keys = {}
        self._fetched = self._tried = self._demanded = -math.inf
        self._failures = 0
        self._trouble = asyncio.Event()
        self._flight: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Whether tokens can be judged: there are keys, and they are not stale."""
        return bool(self._keys) and self._clock() - self._fetched <= self._pace.stale

    async def find(self, kid: str) -> RSAPublicKey | None:
        """The key of that name, or `None` if the issuer has none; raises `IssuerUnavailable`."""
        if self.known and kid in self._keys:
            return self._keys[kid]
        await self._on_demand()
        if not self.known:
            raise IssuerUnavailable
        key = self._keys.get(kid)
        if key is None and self._failures:
            # It may be a new key of an issuer that we cannot ask: neither good nor bad.
            raise IssuerUnavailable
        return key

    async def run(self) -> None:
        """Renew the keys for ever, whatever happens."""
        await self.refresh()
        while True:
            if self._failures:
                backoff = self._pace.retry * 2 ** min(self._failures - 1, 16)
                await asyncio.sleep(min(backoff, self._pace.demand))
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.refresh):
                        await self._trouble.wait()
                    # A fetch on demand has failed: it is for us to try again.
                    continue
            await self.refresh()

    async def refresh(self) -> None:
        """Fetch now; whoever asks meanwhile waits for the same fetch. Failures are only counted."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._refresh())
        # A caller who goes away does not end the fetch of the others.
        await asyncio.shield(self._flight)

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            with suppress(asyncio.CancelledError):
                await self._flight

    async def _on_demand(self) -> None:
        under_way = self._flight is not None and not self._flight.done()
        now = self._clock()
        if self.known:
            due = now - self._demanded >= self._pace.demand
        else:
            due = now - self._tried >= self._pace.retry
        if due and not under_way:
            self._demanded = now
        if due or under_way:
            await self.refresh()

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            async with asyncio.timeout(self._pace.timeout):
                keys = await self._fetch()
        except Exception as error:  # whatever it is, the old keys still stand
            self._failures += 1
            self._trouble.set()
            # The message may repeat what the other side sent.
            log.warning(
                "keys not fetched",
                extra={"error": type(error).__name__, "failures": self._failures},
            )
            return
        if keys.keys() != self._keys.keys() or self._failures:
            log.info("keys fetched", extra={"keys": sorted(keys)})
        # A key that is no longer published is withdrawn at once.
        self._keys, self._fetched, self._failures = keys, self._clock(), 0
        self._trouble.clear()


async def fetch_keys(issuer: str) -> Keys:
    """Ask the issuer for its metadata and keys (OpenID Connect Discovery 1.0, RFC 7517)."""
    # Made anew each time: the file behind SSL_CERT_FILE may have changed.
    trust = ssl.create_default_context()
    async with httpx2.AsyncClient(verify=trust, timeout=10) as client:
        metadata = await _json(client, f"{issuer}/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer:
            raise ValueError("the metadata is of another issuer")
        address = metadata.get("jwks_uri")
        if not isinstance(address, str) or urlsplit(address).scheme != "https":
            raise ValueError("the address of the keys is not https")
        return usable_keys((await _json(client, address)).get("keys"))


async def _json(client: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    answer = await client.get(address)
    answer.raise_for_status()
    document = answer.json()
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    return document


def usable_keys(entries: object) -> Keys:
    """The RSA signing keys among the entries of a JWKS; whatever else is there is skipped."""
    keys: dict[str, RSAPublicKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        try:
            kid, key = _usable_key(entry)
        except Exception as error:  # one bad entry must not cost the good ones
            log.debug("key skipped", extra={"error": type(error).__name__})
        else:
            keys[kid] = key
    if not keys:
        raise ValueError("no usable key")
    return keys


def _usable_key(entry: dict[str, Any]) -> tuple[str, RSAPublicKey]:
    kid = entry["kid"]
    if not isinstance(kid, str) or not kid:
        raise TypeError("kid")
    if entry["kty"] != "RSA" or entry.get("use", "sig") != "sig":
        raise ValueError("not for signatures")
    if entry.get("alg", "RS256") != "RS256":
        raise ValueError("another algorithm")
    key = jwt.PyJWK(entry, "RS256").key
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("too weak")
    return kid, key
