//! The one place that writes to standard output and standard error.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::app;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The app says why.
    #[error(transparent)]
    App(#[from] app::Error),
    /// An effect failed.
    #[error(transparent)]
    Fault(#[from] crate::core::Fault),
    /// Standard input or output.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The command was called in a way that cannot work.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Nobody reads on: no failure worth a word.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(e) if e.kind() == ErrorKind::BrokenPipe)
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::App(error) => error.remedy(),
            Self::Fault(_) | Self::Io(_) | Self::Usage(_) => None,
        }
    }
}

/// A colour, where it helps to find what matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Colour {
    /// As it should be.
    Green,
    /// On the way.
    Yellow,
    /// Somebody should look.
    Red,
    /// As the rest.
    None,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::None => "0",
        }
    }
}

/// Where results and remarks go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
}

impl Screen {
    /// The process's own; <https://no-color.org>.
    pub(super) fn new(quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            quiet,
            colour_out: wanted && io::stdout().is_terminal(),
            colour_err: wanted && io::stderr().is_terminal(),
        }
    }

    /// Whether progress may be drawn.
    pub(super) fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A remark for people, on standard error.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// Something that somebody should look at, on standard error.
    pub(super) fn warn(self, text: &str) {
        complain(&format!("{} {text}", paint(self.colour_err, Colour::Yellow, "warning:")));
    }

    /// What went wrong and what to do about it, on standard error.
    pub(super) fn failure(self, failure: &Failure) {
        let label = paint(self.colour_err, Colour::Red, "error:");
        complain(&format!("{label} {failure}"));
        let mut source = std::error::Error::source(failure);
        while let Some(cause) = source {
            complain(&format!("  because: {cause}"));
            source = cause.source();
        }
        if let Some(remedy) = failure.remedy().filter(|remedy| !remedy.is_empty()) {
            complain(&format!("  {remedy}"));
        }
    }

    /// `text` in a colour, where standard output shows it.
    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        paint(self.colour_out, colour, text)
    }
}

/// A result, with its line end.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// A result as it is.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A result as JSON.
pub(super) fn json(value: &Value) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// A result as a YAML document.
pub(super) fn yaml(value: &Value) -> io::Result<()> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    raw(text.as_bytes())
}

/// A result as YAML in which every text is quoted: `az` would put variables of its environment into
/// plain ones.
pub(super) fn quoted_yaml(value: &Value) -> io::Result<()> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    let text = serde_saphyr::to_string_with_options(value, options).map_err(io::Error::other)?;
    raw(text.as_bytes())
}

/// A question on a terminal, without a line end.
pub(super) fn prompt(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// A line on standard error: a mistake in what was given, with its place.
pub(super) fn complain(text: &str) {
    // There is no one left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn paint(wanted: bool, colour: Colour, text: &str) -> String {
    if wanted && colour != Colour::None {
        format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
    } else {
        text.to_owned()
    }
}

/// `text` from outside on one line and without control characters, which a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_wanted() {
        assert_eq!(paint(false, Colour::Red, "x"), "x");
        assert_eq!(paint(true, Colour::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(paint(true, Colour::None, "x"), "x");
    }

    #[test]
    fn a_terminal_obeys_no_text_from_outside() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
