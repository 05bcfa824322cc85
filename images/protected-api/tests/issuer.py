"""An issuer for tests, over HTTPS with a certificate authority of its own."""

import datetime
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.signer import TENANT, Key, Signer


class Issuer:
    """Publishes metadata and keys; a test may rotate, slow down, break and stop it."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes the certificates; nothing listens before `start`."""
        self.ca = folder / "ca.pem"
        self._leaf = folder / "leaf.pem"
        make_certificates(self.ca, self._leaf)
        self.keys = [Key()]
        self.extra: list[object] = []
        self.delay = 0.0
        self.fetches = 0
        self.metadata: dict[str, object] = {}
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def __enter__(self) -> Self:
        """Use it for a while."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.stop()

    @property
    def authority(self) -> str:
        """The issuer without its version."""
        return f"https://localhost:{self._port}/{TENANT}"

    @property
    def signer(self) -> Signer:
        """Signs with the newest key."""
        return Signer(f"{self.authority}/v2.0", self.keys[-1])

    def rotate(self) -> None:
        """Sign with a new key from now on; the old ones stay published."""
        self.keys.append(Key())

    def start(self) -> None:
        """Listen, where it listened before."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._leaf)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self._port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Refuse connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str) -> object:
        """What is published there."""
        if path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            address = f"{self.authority}/discovery/v2.0/keys"
            return {"issuer": f"{self.authority}/v2.0", "jwks_uri": address, **self.metadata}
        if path == f"/{TENANT}/discovery/v2.0/keys":
            self.fetches += 1
            time.sleep(self.delay)
            return {"keys": [*self.extra, *(key.jwk() for key in self.keys)]}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
                found = issuer.answer(self.path)
                body = json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:  # noqa: ANN401
                return

        return Handler


def make_certificates(ca: Path, leaf: Path) -> None:
    """Write an authority's certificate, and a leaf for localhost with its key."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of the tests")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    # What RFC 5280 asks of both: Python 3.13 and later insist on it.
    signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = certificate(name, authority).add_extension(x509.BasicConstraints(True, 0), True)
    root = root.add_extension(signs, True).add_extension(identifier, False)
    ca.write_bytes(pem(root.sign(authority, hashes.SHA256())))
    host = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    signed = certificate(subject, server).add_extension(host, False)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    signed = signed.add_extension(issued_by, False)
    private = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    leaf.write_bytes(private + pem(signed.sign(authority, hashes.SHA256())))


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as files have it."""
    return certificate.public_bytes(serialization.Encoding.PEM)
