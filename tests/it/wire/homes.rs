//! Homes beside the laptop's: in a blob container, and a home that moves from one to the next.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{
    Ended, TLS, World, condition, ended, feed, free_address, group, is_ready, number, pause,
};

mod azure;
mod moves;

/// A storage account of local Azure with the two containers of a home.
struct Account {
    url: String,
    variables: BTreeMap<String, String>,
}

impl Account {
    async fn new(world: &World) -> Self {
        let variables = world.variables();
        let ca = std::fs::read(&variables["ACI_OPERATOR_LOCAL_CA"]).unwrap();
        aci_operator::tls::install_provider();
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        let http = Client::builder().tls_certs_only([ca]).build().unwrap();
        let arm = Arm { token: token(&http, &variables).await, http, variables: &variables };
        let groups = "/resourcegroups/ops";
        arm.put(groups, json!({"location": "westeurope"})).await;
        let account = format!("{groups}/providers/Microsoft.Storage/storageAccounts/keep1");
        let body = json!({"location": "westeurope", "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"}, "properties": {"allowSharedKeyAccess": false}});
        arm.put(&account, body).await;
        let url = loop {
            let made = arm.get(&account).await;
            if made["properties"]["provisioningState"] == "Succeeded" {
                break made["properties"]["primaryEndpoints"]["blob"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for name in ["home", "home-secrets"] {
            arm.put(&format!("{account}/blobServices/default/containers/{name}"), json!({})).await;
        }
        arm.assign(&account, "ba92f5b4-2d11-453d-a403-e96b0029c9fe").await;
        Self { url: format!("{url}home"), variables }
    }

    /// The binary on this home.
    fn command(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = world.command(arguments);
        command.envs(&self.variables).env("ACI_OPERATOR_HOME", &self.url);
        command
    }

    fn run(&self, world: &World, arguments: &[&str]) -> Ended {
        ended(&mut self.command(world, arguments))
    }

    fn daemon(&self, world: &World, name: &str) -> Daemon {
        let path = world.dir.path().join(name);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut run = self.command(world, &["run", "--listen", &free_address()]);
        Daemon::start(run.stderr(log))
    }

    /// An object as the CLI shows it from outside.
    fn object(&self, world: &World, name: &str) -> Value {
        let got = self.run(world, &["get", name, "-o", "json"]);
        serde_json::from_str(&got.out).unwrap_or_default()
    }

    #[track_caller]
    fn until(
        &self,
        world: &World,
        name: &str,
        what: &str,
        there: impl Fn(&Value) -> bool,
    ) -> Value {
        world.eventually(what, || Some(self.object(world, name)).filter(&there))
    }
}

/// A daemon that ends with its test.
struct Daemon(Child);

impl Daemon {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// SIGTERM, and the exit code.
    fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Arm<'a> {
    http: Client,
    token: String,
    variables: &'a BTreeMap<String, String>,
}

impl Arm<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let version = if path.contains("Microsoft.Authorization") {
            "2022-04-01"
        } else if path.contains("Microsoft.Storage") {
            "2023-05-01"
        } else {
            "2021-04-01"
        };
        let arm = &self.variables["ACI_OPERATOR_RESOURCE_MANAGER_URL"];
        let subscription = &self.variables["AZURE_SUBSCRIPTION_ID"];
        let url = format!("{arm}/subscriptions/{subscription}{path}?api-version={version}");
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await
    }

    /// Gives ourselves a role.
    async fn assign(&self, scope: &str, role: &str) {
        let subscription = &self.variables["AZURE_SUBSCRIPTION_ID"];
        let definition = "providers/Microsoft.Authorization/roleDefinitions";
        let body = json!({"properties": {
            "principalId": object_id(&self.token),
            "principalType": "ServicePrincipal",
            "roleDefinitionId": format!("/subscriptions/{subscription}/{definition}/{role}"),
        }});
        let name = "00000000-0000-4000-8000-00000000000a";
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        self.put(&path, body).await;
    }
}

async fn token(http: &Client, variables: &BTreeMap<String, String>) -> String {
    let (host, tenant) = (&variables["AZURE_AUTHORITY_HOST"], &variables["AZURE_TENANT_ID"]);
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &variables["AZURE_CLIENT_ID"])
        .append_pair("client_secret", &variables["AZURE_CLIENT_SECRET"])
        .append_pair("scope", "https://management.azure.com/.default")
        .finish();
    let url = format!("{host}/{tenant}/oauth2/v2.0/token");
    let request =
        http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = request.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Whose the token is.
fn object_id(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["oid"].clone()
}
