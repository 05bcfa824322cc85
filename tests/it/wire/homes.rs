//! Homes beside the laptop's: in a blob container, and a home that moves from one to the next.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::owner::Owner;
use super::{
    Ended, TLS, World, condition, ended, feed, free_address, group, is_ready, number, pause,
};

mod azure;
mod many;
mod moves;

/// The version of the storage accounts' API.
const STORAGE: &str = "2023-05-01";

/// A storage account of local Azure with the two containers of a home.
struct Account {
    url: String,
    variables: BTreeMap<String, String>,
}

impl Account {
    async fn new(world: &World) -> Self {
        let owner = Owner::of(world);
        let groups = "/resourcegroups/ops";
        put(&owner, groups, "2021-04-01", json!({"location": "westeurope"})).await;
        let account = format!("{groups}/providers/Microsoft.Storage/storageAccounts/keep1");
        let body = json!({"location": "westeurope", "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"}, "properties": {"allowSharedKeyAccess": false}});
        put(&owner, &account, STORAGE, body).await;
        let url = loop {
            let (_, made) = owner.arm(Method::GET, &account, STORAGE, None).await;
            if made["properties"]["provisioningState"] == "Succeeded" {
                break made["properties"]["primaryEndpoints"]["blob"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for name in ["home", "home-secrets"] {
            let container = format!("{account}/blobServices/default/containers/{name}");
            put(&owner, &container, STORAGE, json!({})).await;
        }
        assign(&owner, &account, "ba92f5b4-2d11-453d-a403-e96b0029c9fe").await;
        Self { url: format!("{url}home"), variables: owner.variables }
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
        self.daemon_at(world, name, &free_address())
    }

    /// A daemon that serves readiness and metrics at `listen`.
    fn daemon_at(&self, world: &World, name: &str, listen: &str) -> Daemon {
        let path = world.dir.path().join(name);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut run = self.command(world, &["run", "--listen", listen]);
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

async fn put(owner: &Owner, path: &str, version: &str, body: Value) {
    let (status, said) = owner.arm(Method::PUT, path, version, Some(&body)).await;
    assert!((200..300).contains(&status), "{path}: {status} {said}");
}

/// Gives the owner a role.
async fn assign(owner: &Owner, scope: &str, role: &str) {
    let definition = "providers/Microsoft.Authorization/roleDefinitions";
    let body = json!({"properties": {
        "principalId": object_id(&owner.token().await),
        "principalType": "ServicePrincipal",
        "roleDefinitionId": format!("{}/{definition}/{role}", owner.subscription()),
    }});
    let name = "00000000-0000-4000-8000-00000000000a";
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    put(owner, &path, "2022-04-01", body).await;
}

/// Whose the token is.
fn object_id(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["oid"].clone()
}
