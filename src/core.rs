//! The functional core: values in, values out. No clock, no I/O, no `async`.

pub mod secret;
pub mod sidecar;
