//! Local Azure: ARM, Entra ID and container groups as real containers, on loopback.
//!
//! It shares no wire type with [`crate::azure`], or a wrong spelling would agree with itself.

pub mod engine;
pub mod faults;
pub mod model;
