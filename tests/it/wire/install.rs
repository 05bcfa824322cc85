//! The operator's own installation in local Azure: made, found again, gone on with, taken back.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{BINARY, Ended, World};

const IMAGE: &str = "registry.example/aci-operator@sha256:0000000000000000000000000000000000000000000000000000000000000000";
const GROUP: &str = "operators";

/// A local Azure that can keep blobs, and an identity that container groups may carry.
struct Place {
    world: World,
    identity: String,
}

impl Place {
    fn new() -> Self {
        let world = World::without_azure();
        let installed =
            concat!(env!("CARGO_MANIFEST_DIR"), "/target/azurite/node_modules/.bin/azurite-blob");
        let azurite =
            std::env::var("ACI_OPERATOR_AZURITE").unwrap_or_else(|_| installed.to_owned());
        let mut up = world.command(&["local", "up", "--engine", "none"]);
        super::ended(up.env("ACI_OPERATOR_AZURITE", azurite)).done();
        let mut place = Self { world, identity: String::new() };
        place.put("/resourceGroups/web", "2021-04-01", &json!({"location": "westeurope"}));
        let identity =
            "/resourceGroups/web/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";
        let made = place.put(identity, "2023-01-31", &json!({"location": "westeurope"}));
        place.identity = made["id"].as_str().unwrap().to_owned();
        place
    }

    fn arguments<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec![verb, "azure", "-g", GROUP, "-l", "westeurope", "--manage", "web"];
        all.extend(["--identity", &self.identity, "--image", IMAGE]);
        all.extend(more);
        all
    }

    fn install(&self, more: &[&str]) -> Ended {
        self.world.run(&self.arguments("install", more))
    }

    fn uninstall(&self, more: &[&str]) -> Ended {
        let mut all = vec!["uninstall", "azure", "-g", GROUP];
        all.extend(more);
        self.world.run(&all)
    }

    /// What the plan says of each resource: its id, and what is to be done.
    fn plan(&self) -> BTreeMap<String, String> {
        let plan: Value = serde_json::from_str(&self.install(&["-o", "json"]).done()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = plan["resources"].as_array().unwrap().iter();
        all.map(|one| (text(&one["id"]), text(&one["action"]))).collect()
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let text = self.world.run(&["local", "env"]).done();
        let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
    }

    /// A request to ARM by the owner of the subscription.
    fn arm(&self, method: &str, path: &str, version: &str, body: Option<&Value>) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            aci_operator::tls::install_provider();
            let variables = self.variables();
            let ca = std::fs::read(&variables["SSL_CERT_FILE"]).unwrap();
            let roots = reqwest::Certificate::from_pem_bundle(&ca).unwrap();
            let http = reqwest::Client::builder().tls_certs_only(roots).no_proxy().build().unwrap();
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", "client_credentials")
                .append_pair("client_id", &variables["AZURE_CLIENT_ID"])
                .append_pair("client_secret", &variables["AZURE_CLIENT_SECRET"])
                .append_pair("scope", "https://management.azure.com/.default")
                .finish();
            let authority = variables["AZURE_AUTHORITY_HOST"].trim_end_matches('/');
            let tenant = &variables["AZURE_TENANT_ID"];
            let token = http.post(format!("{authority}/{tenant}/oauth2/v2.0/token"));
            let token =
                token.header("content-type", "application/x-www-form-urlencoded").body(form);
            let token = token.send().await.unwrap().bytes().await.unwrap();
            let token: Value = serde_json::from_slice(&token).unwrap();
            let endpoint = variables["ACI_OPERATOR_RESOURCE_MANAGER_URL"].trim_end_matches('/');
            let scope = format!("/subscriptions/{}", variables["AZURE_SUBSCRIPTION_ID"]);
            let path = path.strip_prefix(&scope).unwrap_or(path);
            let url = format!("{endpoint}{scope}{path}?api-version={version}");
            let mut request = http
                .request(method.parse().unwrap(), url)
                .bearer_auth(token["access_token"].as_str().unwrap());
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let body = answer.bytes().await.unwrap();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        })
    }

    fn put(&self, path: &str, version: &str, body: &Value) -> Value {
        let (status, made) = self.arm("PUT", path, version, Some(body));
        assert!((200..300).contains(&status), "{path}: {made}");
        made
    }

    fn get(&self, path: &str, version: &str) -> Option<Value> {
        let (status, found) = self.arm("GET", path, version, None);
        (status == 200).then_some(found)
    }

    /// Ids of all that is in the two resource groups, and of custom roles and role assignments.
    fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for group in [GROUP, "web"] {
            let path = format!("/resourceGroups/{group}");
            let found = self.get(&path, "2021-04-01");
            all.extend(found.map(|group| group["id"].as_str().unwrap().to_owned()));
            all.extend(self.ids(&format!("{path}/resources"), "2021-04-01"));
        }
        let roles = "/providers/Microsoft.Authorization/roleDefinitions";
        let (_, roles) = self.arm("GET", roles, "2022-04-01", None);
        let roles = roles["value"].as_array().unwrap().iter();
        let custom = roles.filter(|role| role["properties"]["type"] == "CustomRole");
        all.extend(custom.map(|role| role["id"].as_str().unwrap().to_owned()));
        all.extend(self.ids("/providers/Microsoft.Authorization/roleAssignments", "2022-04-01"));
        all.sort();
        all
    }

    fn ids(&self, path: &str, version: &str) -> Vec<String> {
        let found = self.get(path, version).unwrap_or_default();
        let found = found["value"].as_array().cloned().unwrap_or_default();
        found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    fn group(&self) -> Value {
        let path = format!(
            "/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/aci-operator"
        );
        self.get(&path, "2023-05-01").unwrap()
    }

    /// Writes to ARM since local Azure's start.
    fn writes(&self) -> u64 {
        let text = self.world.run(&["local", "access", "-o", "json"]).done();
        let all: Value = serde_json::from_str(&text).unwrap();
        let counts = |one: &Value| -> u64 {
            let allowed = one["allowed"].as_object().unwrap().iter();
            allowed
                .filter(|(action, _)| !action.ends_with("/read"))
                .map(|(_, n)| n.as_u64().unwrap())
                .sum()
        };
        all.as_array().unwrap().iter().map(counts).sum()
    }
}

#[test]
fn an_installation_is_made_found_again_and_taken_back() {
    let place = Place::new();
    let before = place.everything();
    assert!(place.plan().values().all(|action| *action == "create" || *action == "keep"));
    assert_eq!(place.everything(), before, "a plan changes nothing");

    place.install(&["--yes"]).done();
    let group = place.group();
    let container = &group["properties"]["containers"][0]["properties"];
    assert_eq!(container["image"], IMAGE);
    let variables = container["environmentVariables"].as_array().unwrap();
    let home = variables.iter().find(|one| one["name"] == "ACI_OPERATOR_HOME").unwrap();
    assert!(home["value"].as_str().unwrap().ends_with("/home"), "{home}");
    assert!(place.plan().values().all(|action| action == "keep"), "{:#?}", place.plan());

    let writes = place.writes();
    place.install(&["--yes"]).done();
    assert_eq!(place.writes(), writes, "what is there is not written again");

    let shown = place.uninstall(&[]).done();
    assert!(shown.contains("storage account"), "{shown}");
    assert_ne!(place.everything(), before);
    place.uninstall(&["--yes"]).done();
    assert_eq!(place.everything(), before, "nothing is left, and nothing else was touched");
    place.uninstall(&["--yes"]).done();
}

#[test]
fn what_was_begun_is_gone_on_with() {
    let place = Place::new();
    let all = place.plan().len();
    // Each run is refused one request later than the one before.
    let mut runs = 0;
    loop {
        let mut child = place.world.command(&place.arguments("install", &["--yes"]));
        let child = child.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut said = String::new();
        let mut done = 0;
        {
            use std::io::{BufRead as _, BufReader};
            for line in BufReader::new(child.stderr.take().unwrap()).lines() {
                let line = line.unwrap();
                done += usize::from(line.starts_with('✓'));
                said += &line;
                if done == 1 {
                    // Killed after one write.
                    let _ = child.kill();
                    break;
                }
            }
        }
        let status = child.wait().unwrap();
        runs += 1;
        assert!(runs < 2 * all, "it gets no further: {said}");
        if done == 0 {
            assert!(status.success(), "{said}");
            break;
        }
    }
    assert!(runs > all / 2, "{runs} runs for {all} resources");
    assert!(place.plan().values().all(|action| action == "keep"), "{:#?}", place.plan());
}

#[test]
fn what_is_somebody_elses_stays() {
    let place = Place::new();
    place.put(
        &format!("/resourceGroups/{GROUP}"),
        "2021-04-01",
        &json!({"location": "westeurope", "tags": {"team": "web"}}),
    );
    let path = format!(
        "/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/aci-operator"
    );
    place.put(&path, "2023-01-31", &json!({"location": "westeurope"}));
    let before = place.everything();
    let refused = place.install(&["--yes"]);
    assert!(refused.complaint(1).contains("somebody else's"));
    assert_eq!(place.everything(), before);

    // Beside it, under another name, the resource group and what is in it stay.
    let second = ["--name", "second", "--yes"];
    place.install(&second).done();
    place.uninstall(&second).done();
    assert_eq!(place.everything(), before);
}

#[test]
fn groups_that_the_operator_keeps_are_not_left_without_a_word() {
    let place = Place::new();
    place.install(&["--yes"]).done();
    let web = "/resourceGroups/web/providers/Microsoft.ContainerInstance/containerGroups/web";
    let body = json!({
        "location": "westeurope",
        "tags": {"aci-operator-owner": "home/uid"},
        "properties": {"osType": "Linux", "containers": [{"name": "app", "properties": {
            "image": "registry.example/app:1",
            "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        }}]},
    });
    place.put(web, "2023-05-01", &body);
    let refused = place.uninstall(&["--yes"]).complaint(2);
    assert!(
        refused.contains("containerGroups/web") && refused.contains("--keep-groups"),
        "{refused}"
    );
    place.group();
    place.uninstall(&["--yes", "--keep-groups"]).done();
    assert!(place.get(web, "2023-05-01").is_some());
}

#[test]
fn rights_that_count_late_are_waited_for() {
    let place = Place::new();
    place.world.run(&["local", "fault", "rbac-delay", "2s"]).done();
    place.world.run(&["local", "fault", "conflict", "--operation", "put", "--times", "1"]).done();
    let said = place.install(&["--yes"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.err.contains("is busy"), "{}", said.err);
}

#[test]
fn the_grant_in_the_directory_is_a_step_of_its_own() {
    let place = Place::new();
    let said = place.install(&["--yes"]);
    assert!(said.err.contains("Privileged Role Administrator"), "{}", said.err);
    let which = ["install", "graph-grant", "-g", GROUP];
    let told = place.world.run(&which).with(1);
    assert!(
        told.contains("az rest --method POST")
            && told.contains("18a4783c-866b-4cc7-a460-3d5e5662c884"),
        "{told}"
    );
    let absent = place.world.run(&["install", "graph-grant", "-g", "web"]);
    assert!(absent.complaint(2).contains("no such installation"));
}

#[test]
fn a_plan_says_what_it_costs_and_which_rights_it_gives() {
    let place = Place::new();
    let shown = place.install(&[]).done();
    for text in [
        "16 a month",
        "Managed Identity Operator",
        "containers/exec/action",
        "home-secrets",
        "role assignment",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let unnamed = place.world.run(&[
        "install",
        "azure",
        "-g",
        GROUP,
        "-l",
        "westeurope",
        "--manage",
        GROUP,
        "--image",
        "x:1",
    ]);
    assert!(unnamed.complaint(2).contains("replace itself"));
    assert!(std::path::Path::new(BINARY).exists());
}
