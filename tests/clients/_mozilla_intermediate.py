"""Checks a TLS server against Mozilla's "intermediate" with sslyze: HOST:PORT CA_FILE.

Exits 1 on a violation, also where the certificate does not lead to the CA or name the host, and 2
where nothing could be checked. Needs sslyze >= 6.3.
"""

import sys
from pathlib import Path

from sslyze import (
    CertificateInfoExtraArgument,
    ScanCommandsExtraArguments,
    Scanner,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanResult,
)
from sslyze.mozilla_tls_profile.tls_config_checker import (
    SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    ServerScanResultIncomplete,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)


def scan(host: str, port: int, authority: Path) -> ServerScanResult:
    """Ask the server all that the checker wants to know."""
    scanner = Scanner()
    request = ServerScanRequest(
        server_location=ServerNetworkLocation(hostname=host, port=port),
        scan_commands=SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
        scan_commands_extra_arguments=ScanCommandsExtraArguments(
            certificate_info=CertificateInfoExtraArgument(custom_ca_file=authority)
        ),
    )
    scanner.queue_scans([request])
    [result] = scanner.get_results()
    return result


def violations(result: ServerScanResult) -> dict[str, str]:
    """Return what is wrong, by name."""
    found = {}
    intermediate = MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)
    try:
        check_server_against_tls_configuration(result, intermediate)
    except ServerNotCompliantWithTlsConfiguration as e:
        found.update(e.issues)
    for deployment in result.scan_result.certificate_info.result.certificate_deployments:
        if not any(
            path.trust_store.name.startswith("Supplied") and path.was_validation_successful
            for path in deployment.path_validation_results
        ):
            found["certificate_trust"] = "It does not lead to the given CA, or not to this host."
    return found


def main() -> int:
    """Return the exit code."""
    server, authority = sys.argv[1:]
    host, port = server.rsplit(":", 1)
    result = scan(host, int(port), Path(authority))
    try:
        found = violations(result)
    except ServerScanResultIncomplete as e:
        print(f"{server}: not checked: {e}", file=sys.stderr)
        return 2
    for name, problem in sorted(found.items()):
        print(f"{server}: {name}: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"{server}: no violation of Mozilla intermediate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
