//! Composition root: adapters, sources, servers, shutdown.

pub mod trust;
