//! What the outside did to us, reduced to what decides the next pass.

use std::time::Duration;

/// Why an effect did not happen.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A request limit, ours or the service's.
    #[error("{service} limits requests{}", wait(*retry_after))]
    Throttled {
        /// Which service.
        service: &'static str,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// Another operation is going on there (ARM's 409).
    #[error("{service} is busy: {message}")]
    Busy {
        /// Which service.
        service: &'static str,
        /// The service's words.
        message: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The identity lacks a right (403), or is not accepted (401).
    #[error("{service} forbids it: {message}")]
    Forbidden {
        /// Which service.
        service: &'static str,
        /// The service's words.
        message: String,
    },
    /// The identity lacks a right that an administrator has to grant (403).
    #[error("{service} forbids it: {message}; {remedy}")]
    NotGranted {
        /// Which service.
        service: &'static str,
        /// The service's words.
        message: String,
        /// What the administrator has to do.
        remedy: String,
    },
    /// The request itself is refused; repeating it changes nothing.
    #[error("{service} refuses it ({code}): {message}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// The service's code.
        code: String,
        /// The service's words.
        message: String,
    },
    /// The service is broken for now (5xx).
    #[error("{service} fails: {message}")]
    Failing {
        /// Which service.
        service: &'static str,
        /// What it said.
        message: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No answer.
    #[error("{service} does not answer: {problem}")]
    Unreachable {
        /// Which service.
        service: &'static str,
        /// What went wrong.
        problem: String,
    },
    /// The operator's own state cannot be read or written.
    #[error("{what}: {problem}")]
    Store {
        /// File or blob.
        what: String,
        /// What went wrong.
        problem: String,
    },
}

/// The longest text of an error that is told, in characters.
const LONGEST: usize = 2000;

/// An error with its sources, on one line: the outermost often says little. A source that its successor
/// already tells is left out.
pub fn describe(error: &dyn std::error::Error) -> String {
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = one_line(error.to_string());
    let mut at = error.source();
    while let Some(error) = at {
        let next = one_line(error.to_string());
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        at = error.source();
    }
    text.chars().take(LONGEST).collect()
}

impl Fault {
    /// Whether the service said no before it changed anything: then the next read is not older than a
    /// write of ours.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Throttled { .. }
                | Self::Busy { .. }
                | Self::Forbidden { .. }
                | Self::NotGranted { .. }
        )
    }
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |d| format!(": wait {} s", d.as_secs()))
}
