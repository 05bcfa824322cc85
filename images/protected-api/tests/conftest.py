"""An issuer, and the API in each form in which it is shipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.issuer import Issuer
from tests.server import Server, container, image_environment, process

FORMS = {"process": "", **image_environment()}


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """An issuer that stays as it is."""
    with Issuer(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture
def own_issuer(tmp_path: Path) -> Iterator[Issuer]:
    """An issuer to break."""
    with Issuer(tmp_path) as running:
        yield running


@pytest.fixture(scope="session", params=list(FORMS))
def server(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The API as a process; as a container too, where the variable IMAGE names a built image."""
    log = tmp_path_factory.mktemp("server") / "log"
    image = FORMS[request.param]
    running = container(image, issuer, log) if image else process(issuer, log)
    with running as server:
        server.wait("/readyz")
        yield server
