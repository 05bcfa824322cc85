//! The log, on standard error.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};

use super::print::Failure;
use super::{Global, LogFormat};

/// Starts it. A server tells what it does; another command only what is wrong, unless asked.
pub(super) fn start(global: &Global, server: bool) -> Result<(), Failure> {
    let level = match (global.verbose, server, global.quiet) {
        (0, _, true) => LevelFilter::ERROR,
        (0, true, false) => LevelFilter::INFO,
        (0, false, false) => LevelFilter::WARN,
        (1, _, _) => LevelFilter::DEBUG,
        (_, _, _) => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into());
    let filter = if global.verbose > 0 {
        filter.parse_lossy("")
    } else {
        filter.from_env().map_err(|e| Failure::Usage(format!("RUST_LOG: {e}")))?
    };
    let filter = filter.and(filter_fn(is_allowed));
    registry()
        .with(layer(global.log_format).with_filter(filter))
        .try_init()
        .map_err(io::Error::other)?;
    Ok(())
}

fn layer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> registry::LookupSpan<'a>,
{
    match format {
        LogFormat::Text => Box::new(fmt::layer().with_writer(io::stderr).with_ansi(false)),
        LogFormat::Json => {
            Box::new(fmt::layer().json().flatten_event(true).with_writer(io::stderr))
        }
    }
}

/// Libraries log what goes over the wire, keys and tokens too, at levels that are meant for their
/// authors: no setting lets that through.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= cap(metadata.target())
}

fn cap(target: &str) -> Level {
    let name = target.split("::").next().unwrap_or_default();
    match name {
        "aci_operator" => Level::TRACE,
        "tungstenite" | "tokio_tungstenite" => Level::WARN,
        _ => Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_headers_are_never_logged() {
        assert!(Level::TRACE > cap("tungstenite::protocol"));
        assert_eq!(cap("tungstenite::protocol"), Level::WARN);
        assert_eq!(cap("hyper_util::client"), Level::INFO);
        assert_eq!(cap("aci_operator::reconcile"), Level::TRACE);
        assert_eq!(cap("aci_operator_lookalike"), Level::INFO);
    }
}
