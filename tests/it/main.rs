//! Integration tests, one binary: building and linking it once is cheaper than one per file.

#[cfg(test)]
mod emulator;
