//! Where manifests come from.
