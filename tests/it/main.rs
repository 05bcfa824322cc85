//! Integration tests, one binary: building and linking it once is cheaper than one per file.
//!
//! The modules are marked as test code, so that clippy's leave for tests covers their helpers too.

#[cfg(test)]
mod directory;
#[cfg(test)]
mod home;
