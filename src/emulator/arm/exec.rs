//! Exec: POST hands out a WebSocket and a password; the WebSocket is on a listener of its own.
//!
//! Source: learn.microsoft.com/azure/container-instances/container-instances-exec, and what
//! `az container exec` and virtual-kubelet/azure-aci do with it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use uuid::Uuid;

use super::{Arm, base, found};
use crate::emulator::engine::{Engine, ExecStream, TerminalSize};
use crate::emulator::faults::{Effect, Operation};
use crate::emulator::installation::{same_secret, secret};
use crate::emulator::model::{Error, Reply};

/// Terminal size where the request gives none.
const SIZE: TerminalSize = TerminalSize { rows: 24, cols: 80 };
/// Sessions that wait for their client; the oldest leave.
const WAITING: usize = 64;
const CHUNK: usize = 8 * 1024;

/// Sessions handed out and not yet taken, oldest first.
#[derive(Default)]
pub(in crate::emulator) struct Sessions(Mutex<Vec<(String, Session)>>);

struct Session {
    password: String,
    group: String,
    container: String,
    command: String,
    size: TerminalSize,
    refused: bool,
    dies_after: Option<u64>,
}

/// What the WebSocket's listener serves.
pub(in crate::emulator) fn routes(sessions: Arc<Sessions>, engine: Arc<dyn Engine>) -> Router {
    Router::new().route("/exec/{id}", get(connect)).with_state((sessions, engine))
}

impl Arm {
    /// POST exec.
    pub(super) fn exec(
        &self,
        parts: &Parts,
        home: &str,
        name: &str,
        container: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let group = self.world.with(|azure, now| azure.exec_in(now, home, name, container))?;
        let command = body["command"].as_str().filter(|command| !command.is_empty());
        let command = command.ok_or_else(|| {
            Error::new(400, "InvalidExecRequest", "The command of the exec request is missing.")
        })?;
        let effects = self.world.inward(Operation::Exec, Some(name));
        let password =
            secret().map_err(|e| Error::new(500, "InternalServerError", e.to_string()))?;
        let session = Session {
            password: password.clone(),
            group,
            container: container.to_owned(),
            command: command.to_owned(),
            size: size(&body["terminalSize"]),
            refused: effects.contains(&Effect::ExecRefused),
            dies_after: effects.iter().find_map(|effect| match effect {
                Effect::ExecDiesAfter { bytes } => Some(*bytes),
                _ => None,
            }),
        };
        let id = self.sessions.add(session);
        let base = base(&parts.headers);
        let host =
            base.trim_start_matches("https://").rsplit_once(':').map_or("localhost", |h| h.0);
        let uri = format!("wss://{host}:{}/exec/{id}", self.facts.exec_port());
        Ok(found(json!({"webSocketUri": uri, "password": password})))
    }
}

impl Sessions {
    fn add(&self, session: Session) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == WAITING {
            waiting.remove(0);
        }
        waiting.push((id.clone(), session));
        id
    }

    /// A session can be taken once.
    fn take(&self, id: &str) -> Option<Session> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = waiting.iter().position(|(known, _)| known == id)?;
        Some(waiting.remove(index).1)
    }
}

type Connect = (Arc<Sessions>, Arc<dyn Engine>);

async fn connect(
    State((sessions, engine)): State<Connect>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match sessions.take(&id) {
        Some(session) if !session.refused => {
            upgrade.on_upgrade(move |socket| run(socket, session, engine))
        }
        Some(_) => StatusCode::FORBIDDEN.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Password, then the process.
async fn run(mut socket: WebSocket, session: Session, engine: Arc<dyn Engine>) {
    // The service sends an empty message first; clients must not take it for the end.
    if socket.send(Message::Binary(Vec::new().into())).await.is_err() {
        return;
    }
    let first = socket.recv().await;
    let right = matches!(&first, Some(Ok(Message::Text(given)))
        if same_secret(given.as_str(), &session.password));
    if !right {
        return close(socket, close_code::POLICY, "wrong password").await;
    }
    let Session { group, container, command, size, .. } = &session;
    match engine.exec(group, container, command, *size).await {
        Ok(process) => pump(socket, process, session.dies_after).await,
        Err(error) => {
            let text = format!("{error}\r\n").into_bytes();
            if socket.send(Message::Binary(text.into())).await.is_ok() {
                close(socket, close_code::NORMAL, "").await;
            }
        }
    }
}

/// Carries bytes both ways until the process ends, the client leaves, or the budget is used up.
async fn pump(mut socket: WebSocket, process: Box<dyn ExecStream>, mut budget: Option<u64>) {
    let (mut output, mut input): (ReadHalf<_>, WriteHalf<_>) = split(process);
    let mut chunk = vec![0; CHUNK];
    loop {
        tokio::select! {
            read = output.read(&mut chunk) => match read {
                Ok(0) | Err(_) => return close(socket, close_code::NORMAL, "").await,
                Ok(count) => {
                    let bytes = chunk[..count].to_vec();
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
            },
            message = socket.recv() => {
                let bytes = match message {
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Text(text))) => text.into(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                let allowed = allowance(&mut budget, bytes.len());
                let written = input.write_all(&bytes[..allowed]).await;
                if written.is_err() || input.flush().await.is_err() || allowed < bytes.len() {
                    return;
                }
            }
        }
    }
}

/// How many of `wanted` bytes the budget still lets through.
fn allowance(budget: &mut Option<u64>, wanted: usize) -> usize {
    let Some(left) = budget else { return wanted };
    let allowed = wanted.min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= allowed as u64;
    allowed
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    // A client that has left needs no close frame.
    let _ = socket.send(Message::Close(Some(frame))).await;
}

fn size(given: &Value) -> TerminalSize {
    let side = |name: &str, default: u16| {
        let given = given[name].as_u64().and_then(|side| u16::try_from(side).ok());
        given.filter(|side| *side > 0).unwrap_or(default)
    };
    TerminalSize { rows: side("rows", SIZE.rows), cols: side("cols", SIZE.cols) }
}
