//! Local Azure: ARM, Entra ID and container groups as real containers, on loopback.
//!
//! It shares no wire type with [`crate::azure`], or a wrong spelling would agree with itself.

mod access;
mod admin;
mod arm;
mod ca;
mod client;
pub mod directory;
pub mod engine;
mod entra;
pub mod faults;
mod graph;
mod http;
mod installation;
mod kept;
mod metadata;
pub mod model;
pub mod proxy;
mod requests;
mod server;
mod storage;
mod world;

pub use self::access::{Access, Accesses};
pub use self::admin::{Injection, KeyAccident, Status};
pub use self::client::{Client, Endpoints, Error as ClientError, endpoints, environment, identity};
pub use self::server::{Config, Error, serve};
