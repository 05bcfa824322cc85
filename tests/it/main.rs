//! Integration tests, one binary: building and linking it once is cheaper than one per file.
//!
//! The modules are marked as test code, so that clippy's leave for tests covers their helpers too.

#[cfg(test)]
mod arm_client;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod emulator;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod home;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod legacy_client;
#[cfg(test)]
mod log;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sidecar;
#[cfg(test)]
mod stub_arm;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod wire;
