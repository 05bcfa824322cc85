//! Where manifests come from.
//!
//! [`mod@scan`] reads what is there, [`merge`](mod@merge) says what follows from it for the objects that the ledger
//! knows; both happen whenever something changes in a [`directory`] or a [`bucket`].

pub mod bucket;
pub mod directory;
mod keep;
pub mod merge;
pub mod push;
pub mod scan;
mod watching;

pub use bucket::Bucket;
pub use directory::Directory;
pub use keep::{Applied, Keep};
pub use merge::Options;
pub use scan::{Snapshot, scan};
