//! The TLS handshake that sees what is really served.
