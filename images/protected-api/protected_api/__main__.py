"""`python -m protected_api`: read the environment and serve."""

import sys

import uvicorn

from protected_api.app import create_app
from protected_api.logs import configure
from protected_api.settings import SettingsError, load


def main() -> int:
    """Serve until told to stop; 1 if the settings are wrong."""
    try:
        settings = load()
    except SettingsError as error:
        print(f"protected-api cannot start, its settings are wrong:\n{error}", file=sys.stderr)
        return 1
    configure(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        # Forwarded headers are believed of the sidecar alone.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=20,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
