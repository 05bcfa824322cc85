//! Integration tests, one binary: building and linking it once is cheaper than one per file.

mod directory;
mod home;
