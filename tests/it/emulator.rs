//! Local Azure over its real wire: HTTPS verified by its own CA, no containers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aci_operator::emulator::engine::none::Nothing;
use aci_operator::emulator::engine::{
    ContainerState, Endpoints as Published, Engine, EngineError, ExecStream, GroupRun, TerminalSize,
};
use aci_operator::emulator::faults::Operation;
use aci_operator::emulator::{
    Client, Config, Endpoints, Error, Injection, Nowhere, endpoints, environment, serve,
};
use aci_operator::tls;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

const VERSION: &str = "api-version=2023-05-01";

#[expect(clippy::disallowed_methods, reason = "the clock of these tests")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// A local Azure that runs on a directory.
struct Local {
    dir: Arc<TempDir>,
    endpoints: Endpoints,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    server: JoinSet<Result<(), Error>>,
}

fn config(dir: &Path, clock: fn() -> DateTime<Utc>) -> Config {
    let engine = Arc::new(Nothing::new(clock));
    let mut config = Config::new(dir.to_owned(), engine, "none", Arc::new(Nowhere), clock);
    config.provisioning = Duration::from_millis(30);
    config.page = 2;
    config
}

impl Local {
    async fn start() -> Self {
        Self::start_on(Arc::new(tempfile::tempdir().unwrap()), clock).await
    }

    async fn start_on(dir: Arc<TempDir>, clock: fn() -> DateTime<Utc>) -> Self {
        let config = config(dir.path(), clock);
        Self::start_with(dir, config).await
    }

    async fn start_with(dir: Arc<TempDir>, config: Config) -> Self {
        tls::install_provider();
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(serve(config, async move {
            let _ = stopped.await;
        }));
        let endpoints = loop {
            if let Some(found) = endpoints(dir.path()).unwrap() {
                break found;
            }
            assert!(server.try_join_next().is_none(), "it ended instead of getting ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let ca = std::fs::read(&endpoints.ca).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
        Self { dir, endpoints, http, stop, server }
    }

    async fn stop(mut self) -> Arc<TempDir> {
        self.stop.send(()).unwrap();
        self.server.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(endpoints(self.dir.path()).unwrap(), None);
        self.dir
    }

    fn variable(&self, name: &str) -> String {
        let variables = environment(self.dir.path()).unwrap();
        variables.into_iter().find(|(known, _)| known == name).unwrap().1
    }

    async fn token_answer(&self, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            self.endpoints.entra,
            self.variable("AZURE_TENANT_ID")
        );
        let client = self.variable("AZURE_CLIENT_ID");
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &client)
            .extend_pairs(fields)
            .finish();
        let request =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(form)).await
    }

    async fn token_for(&self, scope: &str) -> String {
        let secret = self.variable("AZURE_CLIENT_SECRET");
        let (status, body) =
            self.token_answer(&[("client_secret", &secret), ("scope", scope)]).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn signed_in(&self) -> Arm<'_> {
        let token = self.token_for("https://management.core.windows.net//.default").await;
        Arm { local: self, token }
    }
}

/// ARM, as one principal.
struct Arm<'a> {
    local: &'a Local,
    token: String,
}

impl Arm<'_> {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let subscription = self.local.variable("AZURE_SUBSCRIPTION_ID");
        let arm = &self.local.endpoints.arm;
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{arm}/subscriptions/{subscription}{path}{mark}{VERSION}");
        self.local.http.request(method, url).bearer_auth(&self.token)
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(method, path).body(body.to_string())).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn make_resource_group(&self) {
        let body = json!({"location": "westeurope"});
        let (status, _) = self.send(Method::PUT, "/resourcegroups/rg", body).await;
        assert!(status.is_success());
    }

    async fn put(&self, name: &str) -> reqwest::Response {
        let request = self.request(Method::PUT, &group(name)).body(body(name).to_string());
        request.send().await.unwrap()
    }

    /// PUTs and waits until it has gone well.
    async fn make(&self, name: &str) {
        assert!(self.put(name).await.status().is_success());
        self.settled(name).await;
    }

    async fn settled(&self, name: &str) -> Value {
        loop {
            let (status, shown) = self.get(&group(name)).await;
            assert_eq!(status, 200);
            match shown["properties"]["provisioningState"].as_str().unwrap() {
                "Succeeded" if shown["properties"]["instanceView"]["state"] != "Pending" => {
                    return shown;
                }
                "Failed" => panic!("{shown}"),
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Follows a polling URL to its end: the last answer.
    async fn follow(&self, response: &reqwest::Response, header: &str) -> (StatusCode, Value) {
        let url = response.headers()[header].to_str().unwrap();
        assert!(url.starts_with(&format!("{}/subscriptions/", self.local.endpoints.arm)), "{url}");
        loop {
            let request = self.local.http.get(url).bearer_auth(&self.token);
            let response = request.send().await.unwrap();
            if response.status() != 204 {
                assert_eq!(response.headers()["retry-after"], "1");
            }
            let (status, body) = split(response).await;
            if status != 202 && body["status"] != "InProgress" {
                return (status, body);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    split(request.send().await.unwrap()).await
}

async fn split(response: reqwest::Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn group(name: &str) -> String {
    // The spelling of `az container create --file`.
    format!("/resourcegroups/RG/providers/Microsoft.ContainerInstance//containerGroups/{name}")
}

fn body(name: &str) -> Value {
    json!({
        "location": "West Europe",
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "app", "properties": {
                "image": "nginx",
                "environmentVariables": [{"name": "S", "secureValue": "hunter2"}]}}],
            "ipAddress": {"type": "Public", "ports": [{"port": 8080}], "dnsNameLabel": name}
        }
    })
}

fn injection(value: Value) -> Injection {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn the_life_of_a_group() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    assert_eq!(arm.get(&group("web")).await.1["error"]["code"], "ResourceGroupNotFound");
    arm.make_resource_group().await;

    let created = arm.put("web").await;
    assert_eq!(created.status(), 201);
    assert!(created.headers().contains_key("x-ms-request-id"));
    assert!(created.headers().contains_key("x-ms-ratelimit-remaining-subscription-writes"));
    assert_eq!(arm.follow(&created, "azure-asyncoperation").await.1["status"], "Succeeded");
    assert_eq!(split(created).await.1["properties"]["provisioningState"], "Pending");

    let shown = arm.settled("web").await;
    let first_ip = shown["properties"]["ipAddress"]["ip"].clone();
    assert!(first_ip.as_str().unwrap().starts_with("127."));
    assert!(!shown.to_string().contains("hunter2"));

    let started = arm.put("web").await;
    assert_eq!(started.status(), 200);
    arm.settled("web").await;

    assert_eq!(arm.send(Method::POST, &format!("{}/stop", group("web")), json!({})).await.0, 204);
    while arm.settled("web").await["properties"]["instanceView"]["state"] != "Stopped" {}
    let request = arm.request(Method::POST, &format!("{}/start", group("web")));
    let starting = request.header("content-length", "0").send().await.unwrap();
    assert_eq!(starting.status(), 202);
    assert_eq!(arm.follow(&starting, "location").await.0, 204);
    assert_ne!(arm.settled("web").await["properties"]["ipAddress"]["ip"], first_ip);

    let (status, logs) = arm.get(&format!("{}/containers/app/logs?tail=5", group("web"))).await;
    assert_eq!((status, logs), (StatusCode::OK, json!({"content": ""})));

    let deleting = arm.request(Method::DELETE, &group("web")).send().await.unwrap();
    assert_eq!(deleting.status(), 202);
    assert_eq!(arm.follow(&deleting, "location").await.0, 204);
    assert_eq!(arm.send(Method::DELETE, &group("web"), json!(null)).await.0, 204);

    let counts = Client::open(local.dir.path()).unwrap().status().await.unwrap().requests;
    assert_eq!(counts[&Operation::Put], 2);
    assert_eq!(counts[&Operation::Delete], 2);
    let log = std::fs::read_to_string(local.dir.path().join("requests.jsonl")).unwrap();
    let puts = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(puts.filter(|line| line["operation"] == "put").count(), 2);
    local.stop().await;
}

#[tokio::test]
async fn subscriptions_providers_and_resource_groups() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    let metadata = local.http.get(format!("{}/metadata/endpoints?{VERSION}", local.endpoints.arm));
    let (status, body) = answer(metadata).await;
    assert_eq!(status, 200);
    assert_eq!(body["authentication"]["loginEndpoint"], local.endpoints.entra);

    assert_eq!(arm.get("").await.1["subscriptionId"], local.variable("AZURE_SUBSCRIPTION_ID"));
    assert!(arm.get("/locations").await.1["value"].as_array().unwrap().len() > 5);
    let provider = "/providers/Microsoft.ContainerInstance";
    assert_eq!(arm.get(provider).await.1["registrationState"], "Registered");
    arm.make_resource_group().await;
    arm.send(Method::POST, &format!("{provider}/unregister"), json!({})).await;
    let (status, refused) = split(arm.put("web").await).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["code"]),
        (409, &json!("MissingSubscriptionRegistration"))
    );
    arm.send(Method::POST, &format!("{provider}/register"), json!({})).await;

    for name in ["web-a", "web-b", "web-c"] {
        arm.make(name).await;
    }
    let (_, first) = arm.get("/providers/Microsoft.ContainerInstance/containerGroups").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = local.http.get(first["nextLink"].as_str().unwrap()).bearer_auth(&arm.token);
    let (_, second) = answer(next).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 1);
    assert_eq!(second["value"][0]["properties"]["instanceView"], Value::Null);
    assert_eq!(second["nextLink"], Value::Null);

    let head = |path: &'static str| arm.request(Method::HEAD, path).send();
    assert_eq!(head("/resourceGroups/RG").await.unwrap().status(), 204);
    assert_eq!(head("/resourceGroups/none").await.unwrap().status(), 404);
    let deleting = arm.request(Method::DELETE, "/resourceGroups/rg").send().await.unwrap();
    assert_eq!(arm.follow(&deleting, "location").await.0, 204);
    assert_eq!(head("/resourceGroups/RG").await.unwrap().status(), 404);
    local.stop().await;
}

/// How far ahead the clock of the token test is, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn moving_clock() -> DateTime<Utc> {
    clock() + TimeDelta::seconds(AHEAD.load(Ordering::SeqCst))
}

#[tokio::test]
async fn tokens_that_are_refused() {
    let local = Local::start_on(Arc::new(tempfile::tempdir().unwrap()), moving_clock).await;
    let scope = ("scope", "https://management.azure.com/.default");
    let federated = std::fs::read_to_string(&local.endpoints.federated_token).unwrap();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = |token: &str| token.to_owned();
    let secret = local.variable("AZURE_CLIENT_SECRET");
    let forged = assertion(&local.token_for(scope.1).await);
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("client_secret", &secret), scope], ""),
        (&[("client_assertion", &federated), ("client_assertion_type", kind), scope], ""),
        (&[("client_secret", "wrong"), scope], "AADSTS7000215"),
        (&[scope], "AADSTS7000218"),
        (&[("client_assertion", &forged), ("client_assertion_type", kind), scope], "AADSTS700027"),
        (&[("client_secret", &secret), ("scope", "https://example.test/.default")], "AADSTS500011"),
    ];
    for (fields, refusal) in cases {
        let (status, body) = local.token_answer(fields).await;
        let said = body["error_description"].as_str().unwrap_or_default();
        assert!(said.starts_with(refusal) && status.is_success() == refusal.is_empty(), "{body}");
    }

    let arm = local.signed_in().await;
    let bare = |token: String| Arm { local: &local, token };
    let code = |answer: (StatusCode, Value)| {
        assert_eq!(answer.0, 401);
        answer.1["error"]["code"].as_str().unwrap().to_owned()
    };
    let missing = local.http.get(format!("{}/subscriptions?{VERSION}", local.endpoints.arm));
    assert_eq!(code(answer(missing).await), "AuthenticationFailed");
    assert_eq!(code(bare("no.such.token".to_owned()).get("").await), "InvalidAuthenticationToken");
    let unknown = bare(federated).request(Method::GET, "").send().await.unwrap();
    let challenge = unknown.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_claims") && challenge.contains("claims=\""));
    assert_eq!(arm.get("").await.0, 200);
    AHEAD.store(3601, Ordering::SeqCst);
    assert_eq!(code(arm.get("").await), "ExpiredAuthenticationToken");
    local.stop().await;
}

#[tokio::test]
async fn the_managed_identity() {
    let local = Local::start().await;
    let installation = std::fs::read(local.dir.path().join("installation.json")).unwrap();
    let facts: Value = serde_json::from_slice(&installation).unwrap();
    let url = format!(
        "{}?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
        local.endpoints.identity
    );
    let ask = |header: &str| local.http.get(&url).header("x-identity-header", header);
    assert_eq!(answer(ask("wrong")).await.0, 401);
    let (status, body) = answer(ask(facts["identityHeader"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    assert!(body["expires_on"].as_str().unwrap().parse::<i64>().unwrap() > clock().timestamp());
    let arm = Arm { local: &local, token: body["access_token"].as_str().unwrap().to_owned() };
    assert_eq!(arm.get("").await.0, 200);
    local.stop().await;
}

#[tokio::test]
async fn injected_faults() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    let admin = Client::open(local.dir.path()).unwrap();
    arm.make_resource_group().await;
    arm.make("web").await;

    admin
        .inject(&injection(
            json!({"fault": "throttle", "retryAfter": 7, "operation": "get", "times": 1}),
        ))
        .await
        .unwrap();
    let throttled = arm.request(Method::GET, &group("web")).send().await.unwrap();
    assert_eq!(
        (throttled.status().as_u16(), &throttled.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(arm.get(&group("web")).await.0, 200);

    admin.inject(&injection(json!({"fault": "reset", "times": 1}))).await.unwrap();
    assert!(arm.request(Method::GET, &group("web")).send().await.is_err());

    admin.inject(&injection(json!({"fault": "conflict"}))).await.unwrap();
    let (status, refused) = split(arm.put("web").await).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["code"]),
        (409, &json!("ContainerGroupTransitioning"))
    );
    assert_eq!(admin.status().await.unwrap().faults.len(), 1);
    admin.clear_faults().await.unwrap();

    let before = arm.settled("web").await;
    admin.inject(&injection(json!({"accident": "ip-change", "group": "web"}))).await.unwrap();
    let after = arm.settled("web").await;
    let ip = |shown: &Value| shown["properties"]["ipAddress"]["ip"].clone();
    let started = |shown: &Value| {
        shown["properties"]["containers"][0]["properties"]["instanceView"]["currentState"].clone()
    };
    assert_ne!(ip(&before), ip(&after));
    assert_eq!(started(&before), started(&after));
    admin
        .inject(&injection(json!({"accident": "crash", "group": "web", "container": "app"})))
        .await
        .unwrap();
    loop {
        let shown = arm.settled("web").await;
        if shown["properties"]["containers"][0]["properties"]["instanceView"]["restartCount"] == 1 {
            break;
        }
    }
    let nobody = injection(json!({"accident": "move-host", "group": "nobody"}));
    assert!(admin.inject(&nobody).await.is_err());

    admin.reset().await.unwrap();
    assert!(admin.status().await.unwrap().groups.is_empty());
    assert_eq!(arm.get(&group("web")).await.1["error"]["code"], "ResourceGroupNotFound");
    local.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    arm.make("web").await;
    let token = arm.token.clone();
    let (before, variables) = (local.endpoints.clone(), environment(local.dir.path()).unwrap());
    let twice = serve(config(local.dir.path(), clock), std::future::pending()).await;
    assert!(matches!(twice, Err(Error::Running(_))));

    let dir = local.stop().await;
    let local = Local::start_on(dir, clock).await;
    assert_eq!(local.endpoints, before);
    assert_eq!(environment(local.dir.path()).unwrap(), variables);
    let arm = Arm { local: &local, token };
    arm.settled("web").await;
    for secret in ["installation.json", "model.json", "ca-key.pem", "signing-key.pem", "lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = local.dir.path().join(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    local.stop().await;
}

/// An engine whose containers run one program: `cat`.
struct Cat(Nothing);

#[async_trait]
impl Engine for Cat {
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

#[tokio::test]
async fn only_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), clock);
    config.address = "0.0.0.0".parse().unwrap();
    let refused = serve(config, std::future::pending()).await;
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
}
