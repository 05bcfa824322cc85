//! Dialogues with the sidecar over an exec session.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::core::Fault;
use crate::core::certificate::Pair;
use crate::core::container_group::GroupId;
use crate::core::sidecar::{self, Dialogue, FAREWELL, Outcome, Progress, Transcript};
use crate::ports::{Azure, ExecSession, TerminalSize};
use crate::reconcile::Ctx;

/// ACI starts one process without arguments.
const SHELL: &str = "/bin/sh";
/// Longest wait for one answer: nginx checks its configuration in well under a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// A terminal wide enough that no answer is wrapped.
const SIZE: TerminalSize = TerminalSize { rows: 50, cols: 500 };

/// Shows that a swap would work, or why not.
pub(super) async fn trial(
    id: &GroupId,
    azure: &Azure,
    ctx: &Ctx,
) -> Result<Result<(), String>, Fault> {
    Ok(match lead(id, sidecar::trial(nonce(ctx)?), azure).await? {
        Outcome::Available { lossless: true } => Ok(()),
        Outcome::Available { lossless: false } => {
            Err("nginx before 1.27.4 loses requests when it reloads".to_owned())
        }
        other => Err(unexpected(&other)),
    })
}

/// Makes `pair` the live one; the generation that was read back.
pub(super) async fn swap(
    id: &GroupId,
    pair: &Pair,
    azure: &Azure,
    ctx: &Ctx,
) -> Result<Result<i64, String>, Fault> {
    Ok(match lead(id, sidecar::swap(pair, nonce(ctx)?), azure).await? {
        Outcome::Live(live) if live.is(pair) => Ok(live.generation),
        other => Err(unexpected(&other)),
    })
}

/// Tells the user's containers the origins.
pub(super) async fn publish(
    id: &GroupId,
    origins: &BTreeSet<String>,
    azure: &Azure,
    ctx: &Ctx,
) -> Result<Result<(), String>, Fault> {
    let text: String = origins.iter().flat_map(|origin| [origin.as_str(), "\n"]).collect();
    Ok(match lead(id, sidecar::publish(&text, nonce(ctx)?), azure).await? {
        Outcome::Published => Ok(()),
        other => Err(unexpected(&other)),
    })
}

fn unexpected(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Missing(tool) => format!("the sidecar's image has no `{tool}`"),
        Outcome::Refused(words) => format!("the sidecar refuses: {words}"),
        Outcome::Live(live) => format!("the sidecar holds the pair of {}", live.generation),
        Outcome::Available { .. } | Outcome::Published => {
            "the sidecar answers another question".to_owned()
        }
    }
}

fn nonce(ctx: &Ctx) -> Result<u128, Fault> {
    let mut bytes = [0; 16];
    ctx.random.fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

async fn lead(id: &GroupId, dialogue: Dialogue, azure: &Azure) -> Result<Outcome, Fault> {
    let open = azure.groups.exec(id, sidecar::CONTAINER, SHELL, SIZE);
    let mut session = timeout(PATIENCE, open).await.map_err(|_| silent())??;
    let mut transcript = Transcript::new(dialogue);
    let mut output = Vec::new();
    loop {
        match transcript.step(&output) {
            Progress::Send(text) => {
                output.clear();
                session.send(text.reveal().as_bytes()).await?;
            }
            Progress::Wait => output = receive(session.as_mut()).await?,
            Progress::Done(outcome) => {
                // The outcome is known; whether the shell hears its farewell changes nothing.
                let _ = session.send(FAREWELL.as_bytes()).await;
                return Ok(outcome);
            }
        }
    }
}

async fn receive(session: &mut dyn ExecSession) -> Result<Vec<u8>, Fault> {
    let output = timeout(PATIENCE, session.receive()).await.map_err(|_| silent())??;
    output.ok_or_else(|| Fault::Unreachable {
        service: "exec",
        problem: "the session ended before its outcome was known".to_owned(),
    })
}

fn silent() -> Fault {
    let problem = format!("no answer within {} s", PATIENCE.as_secs());
    Fault::Unreachable { service: "exec", problem }
}
