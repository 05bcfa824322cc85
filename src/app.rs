//! Composition root: adapters, sources, servers, shutdown.
