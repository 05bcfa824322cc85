//! A text that must not be shown.

use std::fmt;

/// A text that shows itself only when asked by name: its `Debug` is elided and it has no `Display`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the place that needs it and no log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_elided() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:#?}", [&secret]), "Secret(…) [\n    Secret(…),\n]");
        assert_eq!(secret.reveal(), "hunter2");
    }
}
