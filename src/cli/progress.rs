//! Progress of objects: drawn on a terminal, a line for each news elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::get::short;
use super::print::{Screen, plain};
use crate::app::view::{Item, ObjectKey, Settled};

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// What was last said of each object.
pub(super) struct Progress {
    screen: Screen,
    drawn: Option<MultiProgress>,
    said: HashMap<ObjectKey, (Settled, String, Option<ProgressBar>)>,
}

impl Progress {
    pub(super) fn new(screen: Screen) -> Self {
        let drawn = screen.draws().then(MultiProgress::new);
        Self { screen, drawn, said: HashMap::new() }
    }

    /// Tells how an object is, if that is news.
    pub(super) fn tell(&mut self, item: &Item) {
        let key = &item.entry.key;
        let settled = item.settled();
        let text = plain(&match item.message() {
            message if message.is_empty() => item.reason().to_string(),
            message => format!("{}: {message}", item.reason()),
        });
        let before = self.said.remove(key);
        if before.as_ref().is_some_and(|(s, t, _)| *s == settled && *t == text) {
            self.said.extend(before.map(|said| (key.clone(), said)));
            return;
        }
        let bar = match (before, &self.drawn) {
            (Some((_, _, bar)), _) => bar,
            (None, Some(drawn)) => Some(drawn.add(spinner(&short(key)))),
            (None, None) => None,
        };
        match &bar {
            Some(bar) => bar.set_message(format!("{} {text}", mark(settled))),
            None => self.screen.note(&format!("{}: {text}", short(key))),
        }
        self.said.insert(key.clone(), (settled, text, bar));
    }
}

impl Drop for Progress {
    /// What was drawn stays as it is.
    fn drop(&mut self) {
        for (_, _, bar) in self.said.values() {
            bar.iter().for_each(ProgressBar::abandon);
        }
    }
}

fn mark(settled: Settled) -> &'static str {
    match settled {
        Settled::Ready => "✓",
        Settled::Stalled => "✗",
        Settled::NotYet => "…",
    }
}

/// A spinner with a name and the time since it began.
pub(super) fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TURN);
    bar
}
