//! Exec over its WebSocket, with an engine whose containers run `cat`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

use aci_operator::emulator::Client;
use aci_operator::emulator::engine::none::Nothing;
use aci_operator::emulator::engine::{
    ContainerState, Endpoints as Published, Engine, EngineError, ExecStream, GroupRun, Inside,
    TerminalSize,
};
use aci_operator::tls;

use super::local::{Arm, Local, clock, config, group, injection};

/// An engine whose containers run one program: `cat`.
struct Cat(Nothing);

#[async_trait]
impl Engine for Cat {
    async fn offer(&self, inside: Inside) -> Result<(), EngineError> {
        self.0.offer(inside).await
    }
    async fn start(&self, group: &str, run: &GroupRun) -> Result<Published, EngineError> {
        self.0.start(group, run).await
    }
    async fn remove(&self, group: &str) -> Result<(), EngineError> {
        self.0.remove(group).await
    }
    async fn inspect(&self, group: &str) -> Result<BTreeMap<String, ContainerState>, EngineError> {
        self.0.inspect(group).await
    }
    async fn endpoints(&self, group: &str) -> Result<Published, EngineError> {
        self.0.endpoints(group).await
    }
    async fn logs(
        &self,
        group: &str,
        container: &str,
        tail: Option<usize>,
        timestamps: bool,
    ) -> Result<String, EngineError> {
        self.0.logs(group, container, tail, timestamps).await
    }
    async fn exec(
        &self,
        _: &str,
        _: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecStream>, EngineError> {
        assert_eq!((command, size.rows, size.cols), ("/bin/cat", 33, 80));
        let (ours, mut process) = tokio::io::duplex(64);
        // What is written is echoed until a 0x04 comes, as a terminal's end of file.
        let mut tasks = CAT_PROCESSES.lock().await;
        tasks.spawn(async move {
            while let Ok(byte) = process.read_u8().await {
                if byte == 4 || process.write_u8(byte).await.is_err() {
                    break;
                }
            }
        });
        Ok(Box::new(ours))
    }
    async fn kill(&self, group: &str, container: &str) -> Result<(), EngineError> {
        self.0.kill(group, container).await
    }
    async fn reset(&self) -> Result<(), EngineError> {
        self.0.reset().await
    }
}

static CAT_PROCESSES: LazyLock<Mutex<JoinSet<()>>> = LazyLock::new(Mutex::default);

type Socket = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// POSTs exec and connects: the socket and the password, or the status of a refused handshake.
async fn exec(arm: &Arm<'_>) -> Result<(Socket, String), u16> {
    let body = json!({"command": "/bin/cat", "terminalSize": {"rows": 33}});
    let path = format!("{}/containers/app/exec", group("web"));
    let (status, session) = arm.send(Method::POST, &path, body).await;
    assert_eq!(status, 200, "{session}");
    let uri = session["webSocketUri"].as_str().unwrap();
    let url = url::Url::parse(uri).unwrap();
    assert_ne!(
        Some(url.port().unwrap()),
        url::Url::parse(&arm.local.endpoints.arm).unwrap().port()
    );
    let ca = std::fs::read(&arm.local.endpoints.ca).unwrap();
    let connector = TlsConnector::from(tls::client_config_only(&ca).unwrap());
    let stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    match tokio_tungstenite::client_async(uri, stream).await {
        Ok((socket, _)) => Ok((socket, session["password"].as_str().unwrap().to_owned())),
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// Everything that the socket says until it ends, and the code of its close frame.
async fn rest(socket: &mut Socket) -> (Vec<u8>, Option<u16>) {
    let mut said = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => said.extend_from_slice(&bytes),
            Message::Close(frame) => return (said, frame.map(|frame| frame.code.into())),
            other => panic!("{other}"),
        }
    }
    (said, None)
}

#[tokio::test]
async fn exec_sessions() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut config = config(dir.path(), clock);
    config.engine = Arc::new(Cat(Nothing::new(clock)));
    let local = Local::start_with(dir, config).await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    arm.make("web").await;
    let admin = Client::open(local.dir.path()).unwrap();

    let (mut socket, password) = exec(&arm).await.unwrap();
    socket.send(Message::text(password)).await.unwrap();
    socket.send(Message::binary(b"hello\x04".to_vec())).await.unwrap();
    assert_eq!(rest(&mut socket).await, (b"hello".to_vec(), Some(1000)));

    let (mut socket, _) = exec(&arm).await.unwrap();
    socket.send(Message::text("wrong")).await.unwrap();
    assert_eq!(rest(&mut socket).await, (Vec::new(), Some(1008)));

    admin
        .inject(&injection(json!({"fault": "exec-dies-after", "bytes": 3, "times": 1})))
        .await
        .unwrap();
    let (mut socket, password) = exec(&arm).await.unwrap();
    socket.send(Message::text(password)).await.unwrap();
    socket.send(Message::binary(b"hello".to_vec())).await.unwrap();
    assert_eq!(rest(&mut socket).await.1, None);

    admin.inject(&injection(json!({"fault": "exec-refused", "times": 1}))).await.unwrap();
    assert_eq!(exec(&arm).await.err(), Some(403));
    local.stop().await;
}
