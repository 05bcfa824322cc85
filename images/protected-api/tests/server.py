"""The API as it is deployed: a process of its own, or the image in a container."""

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.issuer import Issuer
from tests.signer import CLIENT, DAEMON, SWAGGER, TENANT

PROJECT = Path(__file__).parent.parent


@dataclass
class Server:
    """A running API."""

    url: str
    log: Path

    def __post_init__(self) -> None:
        """Keep one client: what it costs is its trust in certificates."""
        self._client = httpx2.Client(base_url=self.url, timeout=30)

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx2.Response:
        """Ask, with a token if there is one."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.send("GET", path, list(headers.items()))

    def send(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = ()
    ) -> httpx2.Response:
        """Send any request, with headers that may repeat."""
        return self._client.request(method, path, headers=list(headers))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def wait(self, path: str, status: int = 200, seconds: float = 30) -> float:
        """Wait for an answer; the seconds that it took."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            try:
                if self.get(path).status_code == status:
                    return time.monotonic() - begun
            except httpx2.TransportError:
                pass
            time.sleep(0.02)
        raise TimeoutError(f"{path} did not answer {status}: {self.log.read_text()}")


def environment(issuer: Issuer, port: int, **more: str) -> dict[str, str]:
    """The API's settings, for this issuer."""
    return {
        "APP_CLIENT_ID": CLIENT,
        "APP_TENANT_ID": TENANT,
        "APP_AUTHORITY": issuer.authority,
        "APP_SWAGGER_CLIENT_ID": SWAGGER,
        "APP_ALLOWED_CLIENTS": DAEMON,
        "APP_PORT": str(port),
        "APP_LOG_LEVEL": "DEBUG",
        **more,
    }


@contextmanager
def process(issuer: Issuer, log: Path, **more: str) -> Iterator[Server]:
    """`python -m protected_api`."""
    port = free_port()
    system = {k: v for k, v in os.environ.items() if not k.startswith(("APP_", "OTEL_", "SSL_"))}
    variables = system | {"SSL_CERT_FILE": str(issuer.ca)} | environment(issuer, port, **more)
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "protected_api"],
            cwd=PROJECT,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", log)
    try:
        server.wait("/healthz")
        yield server
    finally:
        server.close()
        running.terminate()
        running.wait(30)


@contextmanager
def container(image: str, issuer: Issuer, log: Path, **more: str) -> Iterator[Server]:
    """The image, as the containers of a group run: in a network that it shares, here the host's."""
    port = free_port()
    engine = container_engine()
    name = f"protected-api-test-{uuid.uuid4().hex[:12]}"
    ca = "/run/ca.pem"
    variables = {"SSL_CERT_FILE": ca} | environment(issuer, port, **more)
    settings = [f"--env={k}={v}" for k, v in variables.items()]
    with log.open("wb") as output:
        running = subprocess.Popen(
            [engine, "run", "--rm", "--name", name, "--network=host", "--read-only"]
            + ["--cap-drop=all", f"--volume={issuer.ca}:{ca}:ro", *settings, image],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", log)
    try:
        server.wait("/healthz", seconds=60)
        yield server
    finally:
        server.close()
        subprocess.run([engine, "stop", "-t", "10", name], check=False, capture_output=True)
        running.wait(30)


def container_engine() -> str:
    """The command that runs containers here."""
    return os.environ.get("ENGINE") or next(filter(shutil.which, ("docker", "podman")), "docker")


def image_environment() -> Mapping[str, str]:
    """Where a built image is to be tried too."""
    return {"image": os.environ["IMAGE"]} if os.environ.get("IMAGE") else {}


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
