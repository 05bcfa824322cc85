//! Where manifests come from.
//!
//! [`mod@scan`] reads what is there, [`merge`](mod@merge) says what follows from it for the objects that the ledger
//! knows, and [`directory`] does both whenever something changes.

pub mod directory;
pub mod merge;
pub mod scan;

pub use directory::{Applied, Directory};
pub use merge::Options;
pub use scan::{Snapshot, scan};
