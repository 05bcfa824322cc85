"""The issuer's keys, on a clock of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from protected_api.auth import IssuerUnavailable, Pace, SigningKeys, fetch_keys
from protected_api.auth.keys import usable_keys
from tests.issuer import Issuer
from tests.signer import Key

OLD, NEW = Key("old"), Key("new")
HOUR = 3600.0


class World:
    """A clock, and an issuer that answers or not."""

    def __init__(self) -> None:
        """Publish the old key, at second 0."""
        self.now = 0.0
        self.published: dict[str, RSAPublicKey] | None = {"old": OLD.public}
        self.fetches = 0
        self.gate: asyncio.Event | None = None
        self.keys = SigningKeys(self._fetch, lambda: self.now, Pace(retry=1, demand=30))

    async def _fetch(self) -> dict[str, RSAPublicKey]:
        self.fetches += 1
        if self.gate:
            await self.gate.wait()
        if self.published is None:
            raise ConnectionError("down")
        return dict(self.published)

    async def judges(self, kid: str) -> bool | None:
        """Whether the key is there; `None` if that cannot be said now."""
        try:
            return await self.keys.find(kid) is not None
        except IssuerUnavailable:
            return None


def in_world(story: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """Run a story in a world of its own."""

    def test() -> None:
        async def run() -> None:
            await story(World())

        asyncio.run(run())

    test.__doc__ = story.__doc__
    return test


@in_world
async def test_a_new_key_is_found_at_its_first_token(world: World) -> None:
    """No token of a rotation is refused, and the old one still counts."""
    await world.keys.refresh()
    world.published = {"old": OLD.public, "new": NEW.public}
    assert await world.judges("new")
    assert await world.judges("old")
    assert world.fetches == 2


@in_world
async def test_unknown_names_cause_one_fetch_in_thirty_seconds(world: World) -> None:
    """Whoever invents key names does not make us a nuisance to the issuer."""
    await world.keys.refresh()
    for _ in range(290):
        assert await world.judges("invented") is False
        world.now += 0.1
    assert world.fetches == 2
    world.now += 1
    world.published = {"new": NEW.public}
    assert await world.judges("new")
    assert world.fetches == 3


@in_world
async def test_a_withdrawn_key_is_gone_at_the_next_fetch(world: World) -> None:
    """An issuer that no longer publishes a key may have lost it to a thief."""
    await world.keys.refresh()
    world.published = {"new": NEW.public}
    await world.keys.refresh()
    assert await world.judges("old") is False


@in_world
async def test_keys_outlive_the_issuer_for_a_day(world: World) -> None:
    """Known keys count for 24 h after the last fetch; then nothing can be judged."""
    await world.keys.refresh()
    world.published = None
    for hour in range(1, 25):
        world.now = hour * HOUR
        await world.keys.refresh()
        assert world.keys.known
        assert await world.judges("old")
    world.now += 1
    assert not world.keys.known
    assert await world.judges("old") is None
    world.published = {"old": OLD.public}
    world.now += 1
    assert await world.judges("old")


@in_world
async def test_a_new_key_of_an_absent_issuer_is_neither_good_nor_bad(world: World) -> None:
    """It would be wrong to say 401 to a token that may be good."""
    await world.keys.refresh()
    world.published = None
    assert await world.judges("new") is None
    assert await world.judges("old")


@in_world
async def test_down_at_start(world: World) -> None:
    """Nothing is known; a request tries again, but not more than once a second."""
    world.published = None
    await world.keys.refresh()
    for _ in range(9):
        assert await world.judges("old") is None
        world.now += 0.1
    assert world.fetches == 1
    world.now += 0.2
    world.published = {"old": OLD.public}
    assert await world.judges("old")


@in_world
async def test_all_who_wait_share_one_fetch(world: World) -> None:
    """And one who leaves does not end it."""
    world.gate = asyncio.Event()
    waiting = [asyncio.create_task(world.judges("old")) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    world.gate.set()
    assert all(await asyncio.gather(*waiting[1:]))
    assert world.fetches == 1


@in_world
async def test_run_tries_again_after_failures_and_renews(world: World) -> None:
    """Nobody has to ask."""
    pace = Pace(refresh=0.001, retry=0.001, demand=0.002)
    keys = SigningKeys(world._fetch, lambda: world.now, pace)
    world.published = None
    task = asyncio.create_task(keys.run())
    while world.fetches < 3:
        await asyncio.sleep(0)
    world.published = {"old": OLD.public}
    while not keys.known:
        await asyncio.sleep(0)
    world.published = {"new": NEW.public}
    while await keys.find("old"):
        await asyncio.sleep(0)
    task.cancel()
    await keys.close()


@in_world
async def test_a_failed_fetch_on_demand_is_tried_again_by_run(world: World) -> None:
    """The next hourly fetch would be too late."""
    keys = SigningKeys(world._fetch, lambda: world.now, Pace(retry=0.001))
    task = asyncio.create_task(keys.run())
    while not keys.known:
        await asyncio.sleep(0)
    world.published = None
    with pytest.raises(IssuerUnavailable):
        await keys.find("new")
    world.published = {"new": NEW.public}
    while world.fetches < 3 or await keys.find("new") is None:
        await asyncio.sleep(0)
    task.cancel()
    await keys.close()


@in_world
async def test_an_issuer_that_never_answers_is_given_up(world: World) -> None:
    """The time of one fetch is bounded."""
    world.gate = asyncio.Event()
    keys = SigningKeys(world._fetch, lambda: world.now, Pace(timeout=0.001))
    with pytest.raises(IssuerUnavailable):
        await keys.find("old")


BAD_ENTRIES: list[Any] = [
    None,
    "text",
    [],
    {},
    {"kid": "x"},
    {**NEW.jwk(), "kid": ["list"]},
    {**NEW.jwk(), "kid": ""},
    {**NEW.jwk(), "use": "enc"},
    {**NEW.jwk(), "kty": "EC"},
    {**NEW.jwk(), "kty": "oct", "k": "c2VjcmV0"},
    {**NEW.jwk(), "alg": "RS512"},
    {**NEW.jwk(), "n": "!"},
    {**NEW.jwk(), "n": 5},
    {**Key("weak", bits=1024).jwk()},
]


@pytest.mark.parametrize("entry", BAD_ENTRIES, ids=str)
def test_a_bad_entry_costs_only_itself(entry: object) -> None:
    """The good ones around it are taken."""
    assert set(usable_keys([entry, OLD.jwk(), entry])) == {"old"}
    with pytest.raises(ValueError, match="no usable key"):
        usable_keys([entry])


@pytest.mark.parametrize("entries", [None, {}, "keys", [], 5])
def test_no_list_of_keys(entries: object) -> None:
    """Whatever else an issuer may send."""
    with pytest.raises(ValueError, match="no usable key"):
        usable_keys(entries)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://elsewhere"}, "another issuer"),
        ({"jwks_uri": "http://localhost/keys"}, "not https"),
        ({"jwks_uri": None}, "not https"),
    ],
)
def test_metadata_that_are_not_the_issuers(
    issuer: Issuer,
    own_issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    metadata: dict[str, object],
    reason: str,
) -> None:
    """Keys come from the issuer that was named, over HTTPS, or not at all."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own_issuer.ca))
    name = f"{own_issuer.authority}/v2.0"
    assert set(asyncio.run(fetch_keys(name))) == {own_issuer.keys[0].kid}
    own_issuer.metadata = metadata
    with pytest.raises(ValueError, match=reason):
        asyncio.run(fetch_keys(name))
    # Another authority's certificate is not trusted.
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(fetch_keys(f"{issuer.authority}/v2.0"))
