//! Integration tests, one binary: building and linking it once is cheaper than one per file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers outside #[test] functions are not covered by allow-unwrap-in-tests"
)]

mod http;
mod pki;
mod probe;
mod sidecar;
