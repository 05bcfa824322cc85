"""Signed-in users who keep asking, and what becomes of their requests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2

from tests.server import Server


@dataclass
class Load:
    """Counts of requests that carried a valid token."""

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        """How many were sent."""
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """How many were not answered with 200."""
        return self.total - self.statuses.get(200, 0)

    def note(self, status: int, seconds: float) -> None:
        """Count one more."""
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.slowest = max(self.slowest, seconds)


@contextmanager
def users(server: Server, token: Callable[[], str], count: int = 4) -> Iterator[Load]:
    """Ask `/me` from as many threads, one request after the other, until the block ends."""
    load, over = Load(), threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=server.url, timeout=30) as client:
            while not over.is_set():
                headers = {"Authorization": f"Bearer {token()}"}
                begun = time.perf_counter()
                answer = client.get("/me", headers=headers)
                load.note(answer.status_code, time.perf_counter() - begun)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()
