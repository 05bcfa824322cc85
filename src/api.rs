//! The kinds: their serde shape and schema, parsed into `core`.
