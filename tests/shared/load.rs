//! Requests without a pause, to count those that a rotation loses.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Connection, Endpoint};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Style {
    /// One request after the other on a kept connection.
    Busy,
    /// With pauses, so that connections are idle when the reload comes.
    Idling,
    /// A handshake for each request.
    Fresh,
    /// Answers that take four seconds.
    Slow,
}

/// Clients that ask until they are told to stop.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<(Style, usize, Vec<String>)>,
}

impl Load {
    pub(super) fn start(endpoint: &Endpoint, styles: &[Style]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for &style in styles {
            let (endpoint, stop) = (endpoint.clone(), stop.clone());
            clients.spawn(async move {
                let (mut requests, mut failures, mut kept) = (0, Vec::new(), None);
                while !stop.load(Ordering::Relaxed) {
                    requests += 1;
                    match ask(style, &endpoint, kept.take()).await {
                        Ok(connection) => kept = connection,
                        Err(e) => failures.push(e.to_string()),
                    }
                }
                (style, requests, failures)
            });
        }
        Self { stop, clients }
    }

    /// Each client's style, number of requests, and failures.
    pub(super) async fn stop(self) -> Vec<(Style, usize, Vec<String>)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut results = self.clients.join_all().await;
        results.sort();
        results
    }
}

/// One request; the connection, where it may be used again.
async fn ask(
    style: Style,
    endpoint: &Endpoint,
    kept: Option<Connection>,
) -> Result<Option<Connection>> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => endpoint.connect().await?,
    };
    let path = if style == Style::Slow { "/slow" } else { "/" };
    let response = connection.get(path, &format!("Host: {}\r\n", endpoint.name)).await?;
    if response.status != "HTTP/1.1 200 OK" {
        return Err(Error::other(response.status));
    }
    if style == Style::Idling {
        sleep(Duration::from_millis(37)).await;
    }
    Ok(Some(connection).filter(|connection| connection.open && style != Style::Fresh))
}
