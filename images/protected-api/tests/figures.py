"""Figures of what signed-in users see in times of trouble: `python -m tests.figures [SECONDS]`.

Each line is one run of the API with four users who ask `/me` without pause.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.issuer import Issuer
from tests.load import Load, users
from tests.server import Server, process


def main(seconds: float) -> None:
    """Print one line a story."""
    print(f"{'':34}{'requests':>9}{'failed':>8}{'slowest':>10}  remark")
    stories: list[tuple[str, Callable[[Server, Issuer, float], tuple[Load, str]]]] = [
        ("no trouble", no_trouble),
        ("key rotation every 31 s", rotation),
        (f"issuer down for {seconds:.0f} s", down),
        ("keys take 3 s, after a rotation", slow),
    ]
    for title, story in stories:
        with (
            tempfile.TemporaryDirectory() as folder,
            Issuer(Path(folder)) as issuer,
            process(issuer, Path(folder) / "log") as server,
        ):
            server.wait("/readyz")
            load, remark = story(server, issuer, seconds)
        print(f"{title:34}{load.total:9}{load.failed:8}{load.slowest * 1000:7.0f} ms  {remark}")
    with tempfile.TemporaryDirectory() as folder, Issuer(Path(folder)) as issuer:
        print(f"issuer down for {seconds:.0f} s at start: {down_at_start(issuer, folder, seconds)}")


def no_trouble(server: Server, issuer: Issuer, seconds: float) -> tuple[Load, str]:
    """The measure for the others."""
    token = issuer.signer.token()
    with users(server, lambda: token) as load:
        time.sleep(min(seconds, 10))
    return load, ""


def rotation(server: Server, issuer: Issuer, seconds: float) -> tuple[Load, str]:
    """Users get a token of the new key at once, and one keeps the first."""
    first = issuer.signer.token()
    tokens = [first]
    with users(server, lambda: tokens[-1]) as load, users(server, lambda: first, 1) as old:
        begun = time.monotonic()
        rotations = 0
        while time.monotonic() - begun < seconds:
            issuer.rotate()
            tokens.append(issuer.signer.token())
            rotations += 1
            time.sleep(31)
    return load, f"{rotations} rotations; with the first token {old.total}, {old.failed} failed"


def down(server: Server, issuer: Issuer, seconds: float) -> tuple[Load, str]:
    """Known keys serve on."""
    token = issuer.signer.token()
    with users(server, lambda: token) as load:
        time.sleep(1)
        issuer.stop()
        time.sleep(seconds)
        issuer.start()
        time.sleep(1)
    return load, ""


def slow(server: Server, issuer: Issuer, _: float) -> tuple[Load, str]:
    """Known keys serve on; the first token of a new key waits."""
    token = issuer.signer.token()
    issuer.rotate()
    issuer.delay = 3
    new = issuer.signer.token()
    waited: list[str] = []

    def ask() -> None:
        begun = time.monotonic()
        status = server.get("/me", new).status_code
        waited.append(
            f"first token of the new key: {status} after {time.monotonic() - begun:.1f} s"
        )

    waiting = threading.Thread(target=ask)
    with users(server, lambda: token) as load:
        waiting.start()
        waiting.join()
    return load, waited[0]


def down_at_start(issuer: Issuer, folder: str, seconds: float) -> str:
    """It starts; then it is ready by itself."""
    issuer.stop()
    begun = time.monotonic()
    with process(issuer, Path(folder) / "log") as server:
        up = time.monotonic() - begun
        time.sleep(seconds)
        issuer.start()
        ready = server.wait("/readyz", seconds=60)
        status = server.get("/me", issuer.signer.token()).status_code
    return f"alive after {up:.1f} s, ready {ready:.1f} s after the issuer's return, /me {status}"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
