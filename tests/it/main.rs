//! Integration tests, one binary: building and linking it once is cheaper than one per file.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed the test")]

mod arm_client;
mod legacy_client;
mod log;
mod stub_arm;
