//! The whole operator in memory, under paused time: real reconcile, real core, real certificates,
//! over the emulator's model of ARM. Counts writes, asserts what is said of them.

mod bench;
mod chain;
mod changes;
mod daemon;
mod engine;
mod faults;
mod gate;
mod graph;
mod home;
mod identity;
mod kills;
mod manifests;
mod origins;
mod ownership;
mod principals;
mod random;
mod recovery;
mod registration;
mod rotation;
mod session;
mod walk;
mod world;
