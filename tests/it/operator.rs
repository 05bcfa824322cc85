//! The whole operator in memory, under paused time: real reconcile, real core, real certificates,
//! over the emulator's model of ARM. Counts writes, asserts what is said of them.

mod bench;
mod engine;
mod gate;
mod home;
mod session;
mod walk;
mod world;
