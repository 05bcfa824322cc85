//! The imperative shell: one loop for every kind.
