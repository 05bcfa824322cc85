//! Exec: two servers in one, ARM's answer and the WebSocket it points to.

use aci_operator::ports::{ExecSession, TerminalSize};
use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;

use super::*;

const PASSWORD: &str = "password-of-the-session";
const SIZE: TerminalSize = TerminalSize { rows: 24, cols: 80 };

/// A server whose sessions do `script` after the password was right.
fn server<F>(script: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static) -> Server
where
    F: Future<Output = ()> + Send,
{
    let route = any(async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let first = socket.recv().await.unwrap().unwrap();
            assert_eq!(first, Message::text(PASSWORD));
            script(socket).await;
        })
    });
    Server::https_with(Router::new().route("/session", route), |_, _| error(404, "", ""))
}

/// ARM that invites to `uri`.
fn arm(uri: String) -> Server {
    Server::https(move |_, _| answer(200, &json!({"webSocketUri": uri, "password": PASSWORD})))
}

async fn open(sessions: &Server, arm: &Server) -> Result<Box<dyn ExecSession>, Fault> {
    let mut cloud = cloud(arm);
    cloud.ca_pem.extend(&sessions.ca_pem);
    client_of(&cloud).0.exec(&id("g"), "side", "/bin/sh", SIZE).await
}

async fn session(sessions: &Server) -> Box<dyn ExecSession> {
    let arm = arm(format!("wss://localhost:{}/session", sessions.address.port()));
    let session = open(sessions, &arm).await.unwrap();
    let asked = json!({"command": "/bin/sh", "terminalSize": {"rows": 24, "cols": 80}});
    assert_eq!(arm.seen()[0].json(), asked);
    session
}

#[tokio::test]
async fn output_comes_as_text_or_binary_until_the_process_ends() {
    let server = server(async |mut socket| {
        for message in [Message::text(""), Message::text("ready"), Message::binary(Vec::new())] {
            socket.send(message).await.unwrap();
        }
        let input = socket.recv().await.unwrap().unwrap();
        assert!(matches!(input, Message::Binary(_)));
        socket.send(Message::binary(input.into_data())).await.unwrap();
        let normal = CloseFrame { code: 1000, reason: "".into() };
        socket.send(Message::Close(Some(normal))).await.unwrap();
    });
    let mut session = session(&server).await;
    assert_eq!(session.receive().await.unwrap().unwrap(), b"ready");
    session.send(b"echo\r\0\xff").await.unwrap();
    assert_eq!(session.receive().await.unwrap().unwrap(), b"echo\r\0\xff");
    assert_eq!(session.receive().await.unwrap(), None);
    assert_eq!(session.receive().await.unwrap(), None);
}

#[tokio::test]
async fn a_session_that_dies_is_no_end() {
    let dropped = server(async |mut socket| socket.send(Message::text("half")).await.unwrap());
    let mut running = session(&dropped).await;
    assert_eq!(running.receive().await.unwrap().unwrap(), b"half");
    let fault = running.receive().await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { service: "exec", .. }), "{fault}");

    let failed = server(async |mut socket| {
        let frame = CloseFrame { code: 1011, reason: "no such process".into() };
        socket.send(Message::Close(Some(frame))).await.unwrap();
    });
    let mut running = session(&failed).await;
    let fault = running.receive().await.unwrap_err();
    assert!(matches!(fault, Fault::Failing { service: "exec", .. }), "{fault}");
    assert!(fault.to_string().contains("1011: no such process"), "{fault}");
    running.receive().await.unwrap_err();
}

#[tokio::test]
async fn the_password_goes_to_the_clouds_own_hosts_over_tls_alone() {
    let sessions = server(async |_| ());
    let port = sessions.address.port();
    for uri in [
        format!("ws://localhost:{port}/session"),
        format!("https://localhost:{port}/session"),
        format!("wss://127.0.0.1:{port}/session"),
        "wss://localhost.evil.test/session".to_owned(),
        String::new(),
    ] {
        let Err(fault) = open(&sessions, &arm(uri.clone())).await else { panic!("{uri}") };
        assert!(
            matches!(fault, Fault::Refused { ref code, .. } if code == "UntrustedAnswer"),
            "{uri}"
        );
    }
    let silent = arm(format!("wss://localhost:{port}/nowhere"));
    let Err(fault) = open(&sessions, &silent).await else { panic!() };
    assert!(matches!(fault, Fault::Unreachable { service: "exec", .. }), "{fault}");
}

#[tokio::test]
async fn an_answer_that_is_no_session_is_not_quoted() {
    let arm = Server::https(|_, _| answer(200, &json!({"password": PASSWORD})));
    let Err(fault) = open(&arm, &arm).await else { panic!() };
    assert!(!format!("{fault:?}").contains(PASSWORD));
}
