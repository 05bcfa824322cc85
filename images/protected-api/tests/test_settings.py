"""Settings: good ones, and how bad ones stop the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from protected_api.settings import Settings, SettingsError, load
from tests.server import PROJECT
from tests.signer import CLIENT, DAEMON, SWAGGER, TENANT

GOOD = {"APP_CLIENT_ID": CLIENT, "APP_TENANT_ID": TENANT}


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """The settings of an environment."""
    for name in [name for name in os.environ if name.startswith("APP_")]:
        monkeypatch.delenv(name)
    for name, value in (GOOD | variables).items():
        monkeypatch.setenv(name, value)
    return load()


def test_two_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest follows from them, for the public cloud."""
    settings = loaded(monkeypatch)
    assert settings.authority == f"https://login.microsoftonline.com/{TENANT}"
    assert settings.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert settings.scope == f"api://{CLIENT}/user_impersonation"
    assert (settings.resource, settings.scope_name) == (f"api://{CLIENT}", "user_impersonation")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.clients == frozenset()
    assert not settings.allow_guests


def test_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are spelled in an environment."""
    settings = loaded(
        monkeypatch,
        APP_CLIENT_ID=CLIENT.upper(),
        APP_AUTHORITY=f"https://localhost:9443/{TENANT}",
        APP_SWAGGER_CLIENT_ID=SWAGGER,
        APP_ALLOWED_CLIENTS=f"{DAEMON}, {CLIENT}",
        APP_SCOPE="https://api.example.com/Tasks.Read",
        APP_ORIGINS="https://Mon-DNS.com:443/, http://localhost:3000",
        APP_ORIGINS_FILE="/run/origins",
        APP_ALLOW_GUESTS="true",
        APP_LOG_LEVEL="debug",
        APP_PORT="9000",
    )
    assert settings.client_id == CLIENT
    assert settings.clients == {SWAGGER, DAEMON, CLIENT}
    assert settings.issuer == f"https://localhost:9443/{TENANT}/v2.0"
    assert settings.resource == "https://api.example.com"
    assert settings.origins == {"https://mon-dns.com", "http://localhost:3000"}
    assert settings.origins_file == Path("/run/origins")
    assert (settings.allow_guests, settings.log_level, settings.port) == (True, "DEBUG", 9000)


def test_empty_is_as_good_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests often give an empty value for what is not set."""
    optional = ["AUTHORITY", "SCOPE", "SWAGGER_CLIENT_ID", "ALLOWED_CLIENTS", "ORIGINS"]
    more = ["ORIGINS_FILE", "ALLOW_GUESTS", "LOG_LEVEL", "HOST", "PORT"]
    assert loaded(monkeypatch, **{f"APP_{name}": "" for name in optional + more}) == loaded(
        monkeypatch
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLIENT_ID", "my-api", "APP_CLIENT_ID: must be an identifier as Entra shows it"),
        ("TENANT_ID", "contoso.com", "APP_TENANT_ID: must be an identifier as Entra shows it"),
        ("SWAGGER_CLIENT_ID", "x", "APP_SWAGGER_CLIENT_ID: must be an identifier"),
        ("ALLOWED_CLIENTS", f"{CLIENT},x", "APP_ALLOWED_CLIENTS: must be an identifier"),
        ("AUTHORITY", f"http://localhost/{TENANT}", "APP_AUTHORITY: must be https://HOST/TENANT"),
        (
            "AUTHORITY",
            "https://localhost/x",
            "APP_AUTHORITY: must end with the identifier in APP_T",
        ),
        ("AUTHORITY", f"https://localhost/{TENANT}/v2.0", "APP_AUTHORITY: must end with"),
        ("SCOPE", "user_impersonation", "APP_SCOPE: must be a scope in full"),
        ("ORIGINS", "*", "APP_ORIGINS: '*' is no origin"),
        ("ORIGINS", "127.0.0.1", "APP_ORIGINS: '127.0.0.1' is no origin"),
        ("PORT", "70000", "APP_PORT: "),
        ("LOG_LEVEL", "loud", "APP_LOG_LEVEL: "),
        ("ALLOW_GUESTS", "perhaps", "APP_ALLOW_GUESTS: "),
    ],
)
def test_bad_ones(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    """Each names its variable."""
    with pytest.raises(SettingsError) as raised:
        loaded(monkeypatch, **{f"APP_{name}": value})
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


def test_the_process_ends_with_one_message() -> None:
    """Exit code 1, all faults at once, no traceback."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APP_")}
    ended = subprocess.run(
        [sys.executable, "-m", "protected_api"],
        cwd=PROJECT,
        env=environment | {"APP_CLIENT_ID": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        "protected-api cannot start, its settings are wrong:\n"
        "APP_CLIENT_ID: must be an identifier as Entra shows it, "
        "00000000-0000-0000-0000-000000000000\n"
        "APP_TENANT_ID: is missing\n"
    )
