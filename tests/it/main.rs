//! Integration tests, one binary: building and linking it once is cheaper than one per file.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod http;
mod pki;
mod probe;
mod trust;
