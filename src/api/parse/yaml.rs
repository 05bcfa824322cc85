//! YAML to plain values, with limits and without leaking.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Error, Options};

use super::Place;

/// Most nodes of a text; aliases count as often as they are used.
const MOST_NODES: usize = 100_000;

/// The documents of `text` that are not empty, or the first mistake.
pub(super) fn read(text: &str) -> Result<Vec<Value>, (Place, String)> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|e| {
        let at = e.location();
        let number = |n: u64| usize::try_from(n).unwrap_or(1).max(1);
        let place = at.map_or(Place::START, |at| Place {
            line: number(at.line()),
            column: number(at.column()),
        });
        (place, message(&e))
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_NODES },
        duplicate_keys: DuplicateKeyPolicy::Error,
        // `yes` and `on` are texts, as YAML 1.2 has it.
        strict_booleans: true,
        // A snippet would print lines of the text, and whatever secret stands there.
        with_snippet: false,
    }
}

fn message(e: &Error) -> String {
    match e {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the field `{key}` stands twice")
        }
        Error::UnknownAnchor { .. } => "this alias names no anchor before it".to_owned(),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::Budget { .. } => "the text is too large, or its aliases are".to_owned(),
        // The scanner's words for a mistake of syntax; they name no values.
        Error::ExternalMessage { msg, .. } => format!("this is no YAML: {msg}"),
        Error::AliasError { error, .. } => message(error),
        Error::Eof { .. } => "the text ends too early".to_owned(),
        _ => "this is no YAML that a manifest may be made of".to_owned(),
    }
}
