//! Figures for `docs/measurements.md`, and how often what they are of is done.
#![expect(clippy::print_stdout, reason = "figures are for who runs a test by hand")]

use std::fmt::Display;
use std::time::Duration;

/// The count in an environment variable, or the small one of every day.
pub(super) fn count(variable: &str, every_day: usize) -> usize {
    std::env::var(variable).map_or(every_day, |text| text.parse().expect("a count"))
}

pub(super) fn measured(name: &str, value: impl Display) {
    println!("measured: {name}={value}");
}

/// Number, median and worst of some durations.
pub(super) fn spread(name: &str, durations: &[Duration]) {
    let mut sorted = durations.to_vec();
    sorted.sort();
    let seconds = |at: usize| format!("{:.2} s", sorted[at].as_secs_f64());
    measured(&format!("{name}.count"), sorted.len());
    measured(&format!("{name}.p50"), seconds((sorted.len() - 1) / 2));
    measured(&format!("{name}.worst"), seconds(sorted.len() - 1));
}
