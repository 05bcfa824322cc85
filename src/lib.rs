//! A Kubernetes-style operator for Azure Container Instances.
//!
//! One manifest gives a container group behind an nginx TLS sidecar whose certificate rotates by
//! itself; a controller keeps it true. Rooms and arrows: `ARCHITECTURE.md`; which room may name
//! which is held by `tests/tidy.rs`.

pub mod api;
pub mod app;
pub mod azure;
pub mod blobs;
pub mod cli;
pub mod cluster;
pub mod core;
pub mod emulator;
pub mod files;
pub mod http;
pub mod metrics;
pub mod pki;
pub mod ports;
pub mod probe;
pub mod reconcile;
pub mod source;
pub mod store;
pub mod tls;
