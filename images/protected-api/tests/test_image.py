"""What only the image can get wrong; collected where the variable IMAGE names a built one."""

import json
import os
import subprocess

from tests.server import container_engine

IMAGE = os.environ["IMAGE"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the engine's."""
    ended = [container_engine(), *command]
    return subprocess.run(ended, capture_output=True, text=True, check=False, timeout=120)


def inside(*command: str) -> str:
    """What a program in the image says."""
    ended = run("run", "--rm", "--network=none", IMAGE, *command)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_nobody_is_root() -> None:
    """The user that the manifest needs not name."""
    (image,) = json.loads(run("image", "inspect", IMAGE).stdout)
    assert image["Config"]["User"] == "10001:10001"
    assert inside("id", "-u") == "10001"


def test_nothing_can_be_installed_or_rewritten() -> None:
    """No installer is left in the environment, and its user owns no file of it."""
    look = "import importlib.util as u; print(u.find_spec('pip'))"
    assert inside("python3", "-c", look) == "None"
    assert inside("find", "/srv", "/opt/venv", "-writable", "!", "-type", "l") == ""


def test_everything_is_compiled() -> None:
    """Each module of ours and of the libraries has its bytecode, with hashes nobody checks."""
    look = (
        "import importlib.util as u, pathlib as p\n"
        "for root in ('/srv', '/opt/venv/lib'):\n"
        "  for f in p.Path(root).rglob('*.py'):\n"
        "    c = p.Path(u.cache_from_source(str(f)))\n"
        "    if not c.exists() or c.read_bytes()[4:8] != bytes([1, 0, 0, 0]): print(f)\n"
    )
    assert inside("python3", "-c", look) == ""


def test_only_what_serves_is_there() -> None:
    """No test, no lock, no Dockerfile."""
    assert inside("ls", "/srv") == "protected_api"


def test_wrong_settings_end_it() -> None:
    """One message, exit code 1."""
    ended = run("run", "--rm", "--network=none", "--env=APP_TENANT_ID=x", IMAGE)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == "protected-api cannot start, its settings are wrong:"
    assert "APP_CLIENT_ID: is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
