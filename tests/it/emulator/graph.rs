//! Microsoft Graph over its real wire: tokens, faults, the request log, restart and reset.

use reqwest::Method;
use serde_json::{Value, json};

use aci_operator::emulator::Client;
use aci_operator::emulator::faults::Operation;

use super::local::{Local, answer, injection, split};

/// Graph, as the client of `local env`.
struct Graph<'a> {
    local: &'a Local,
    token: String,
}

impl<'a> Graph<'a> {
    async fn of(local: &'a Local) -> Self {
        // As azure-cli spells it.
        let token = local.token_for(&format!("{}//.default", local.endpoints.graph)).await;
        Self { local, token }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/v1.0/{path}", self.local.endpoints.graph);
        self.local.http.request(method, url).bearer_auth(&self.token)
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let (status, body) = answer(self.request(method, path).body(body.to_string())).await;
        (status.as_u16(), body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = answer(self.request(Method::GET, path)).await;
        (status.as_u16(), body)
    }

    async fn inject(&self, fault: Value) {
        Client::open(self.local.dir.path()).unwrap().inject(&injection(fault)).await.unwrap();
    }

    /// Reads show every write at once from now on.
    async fn be_prompt(&self) {
        self.inject(json!({"fault": "reads-lag", "seconds": 0, "operation": "graph-write"})).await;
    }
}

fn code((status, body): &(u16, Value)) -> (u16, &str) {
    (*status, body["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_token_for_graph_and_no_other() {
    let local = Local::start().await;
    let metadata = format!("{}/metadata/endpoints?api-version=2022-09-01", local.endpoints.arm);
    let (_, body) = answer(local.http.get(metadata)).await;
    assert_eq!(body["microsoftGraphResourceId"], json!(local.endpoints.graph));
    assert_eq!(local.variable("ACI_OPERATOR_GRAPH_URL"), local.endpoints.graph);

    let url = format!("{}/v1.0/applications", local.endpoints.graph);
    let management = local.token_for("https://management.azure.com/.default").await;
    for (request, message) in [
        (local.http.get(&url), "Access token is empty."),
        (
            local.http.get(&url).bearer_auth("rubbish"),
            "Access token validation failure. Invalid signature.",
        ),
        (
            local.http.get(&url).bearer_auth(management),
            "Access token validation failure. Invalid audience.",
        ),
    ] {
        let refused = request.send().await.unwrap();
        assert!(refused.headers().contains_key("www-authenticate"));
        let (status, body) = split(refused).await;
        let error = &body["error"];
        assert_eq!((status.as_u16(), error["message"].as_str()), (401, Some(message)));
        assert_eq!(error["code"], "InvalidAuthenticationToken");
    }
    for scope in
        ["https://graph.microsoft.com/.default", "00000003-0000-0000-c000-000000000000/.default"]
    {
        let token = local.token_for(scope).await;
        assert_eq!(answer(local.http.get(&url).bearer_auth(&token)).await.0, 200);
        let arm = format!("{}/subscriptions?api-version=2022-12-01", local.endpoints.arm);
        assert_eq!(answer(local.http.get(arm).bearer_auth(token)).await.0, 401);
    }
    local.stop().await;
}

#[tokio::test]
async fn an_application_over_the_wire() {
    let local = Local::start().await;
    let graph = Graph::of(&local).await;
    let (status, made) =
        graph.send(Method::POST, "applications", json!({"displayName": "a"})).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("applications/{}", made["id"].as_str().unwrap());
    let mut absent = 0;
    while graph.get(&path).await.0 == 404 {
        absent += 1;
    }
    assert!(absent > 0, "it shows at once");

    graph.be_prompt().await;
    assert_eq!(graph.send(Method::PATCH, &path, json!({"displayName": "b"})).await.0, 204);
    assert_eq!(graph.get(&path).await.1["displayName"], "b");
    let upsert = graph
        .request(Method::PATCH, "applications(uniqueName='one')")
        .header("prefer", "create-if-missing")
        .header("client-request-id", "mine")
        .body(json!({"displayName": "one"}).to_string());
    let answered = upsert.send().await.unwrap();
    assert_eq!(answered.headers()["client-request-id"], "mine");
    assert!(answered.headers().contains_key("request-id"));
    assert_eq!(answered.status(), 201);
    let (status, page) =
        graph.get("applications?$top=1&$filter=startswith(displayName,%27o%27)").await;
    assert_eq!((status, &page["value"][0]["uniqueName"]), (200, &json!("one")));
    let (status, page) = graph.get("applications?$top=1").await;
    assert_eq!(status, 200);
    let next = local.http.get(page["@odata.nextLink"].as_str().unwrap());
    let (status, page) = answer(next.bearer_auth(&graph.token)).await;
    assert_eq!((status.as_u16(), page["value"].as_array().unwrap().len()), (200, 1));
    let broken = answer(graph.request(Method::POST, "applications").body("{")).await;
    assert_eq!(broken.0, 400);

    let counts = Client::open(local.dir.path()).unwrap().status().await.unwrap().requests;
    assert_eq!(counts[&Operation::GraphWrite], 4);
    let log = std::fs::read_to_string(local.dir.path().join("requests.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let patches =
        lines.filter(|line| line["operation"] == "graph-write" && line["method"] == "PATCH");
    assert_eq!(patches.filter(|line| line["status"] == 204).count(), 1);
    local.stop().await;
}

#[tokio::test]
async fn faults_of_graph() {
    let local = Local::start().await;
    let graph = Graph::of(&local).await;
    let make = json!({"displayName": "a"});
    let throttle =
        json!({"fault": "throttle", "retryAfter": 7, "operation": "graph-write", "times": 1});
    graph.inject(throttle).await;
    assert_eq!(graph.get("applications").await.0, 200);
    let request = graph.request(Method::POST, "applications").body(make.to_string());
    let throttled = request.send().await.unwrap();
    assert_eq!(throttled.headers()["retry-after"], "7");
    let (status, body) = split(throttled).await;
    assert_eq!(code(&(status.as_u16(), body)), (429, "TooManyRequests"));

    graph.inject(json!({"fault": "error", "operation": "graph-read", "times": 1})).await;
    assert_eq!(code(&graph.get("applications").await), (500, "InternalServerError"));
    graph.inject(json!({"fault": "reset", "operation": "graph-read", "times": 1})).await;
    assert!(graph.request(Method::GET, "applications").send().await.is_err());

    graph.inject(json!({"fault": "graph-denied", "times": 1})).await;
    let denied = graph.get("applications").await;
    assert_eq!(code(&denied), (403, "Authorization_RequestDenied"));

    graph.be_prompt().await;
    let (_, foreign) = graph.send(Method::POST, "applications", make.clone()).await;
    graph.inject(json!({"fault": "graph-owned-by"})).await;
    let (_, own) = graph.send(Method::POST, "applications", make.clone()).await;
    for (made, status) in [(&own, 204), (&foreign, 403)] {
        let path = format!("applications/{}", made["id"].as_str().unwrap());
        assert_eq!(graph.send(Method::PATCH, &path, json!({"displayName": "b"})).await.0, status);
    }
    local.stop().await;
}

#[tokio::test]
async fn what_was_made_survives_a_restart_but_no_reset() {
    let local = Local::start().await;
    let graph = Graph::of(&local).await;
    graph.be_prompt().await;
    let (_, made) = graph.send(Method::POST, "applications", json!({"displayName": "a"})).await;
    let path = format!("applications/{}", made["id"].as_str().unwrap());
    let (status, secret) =
        graph.send(Method::POST, &format!("{path}/addPassword"), json!({})).await;
    assert_eq!(status, 200);
    let url = local.endpoints.graph.clone();
    let dir = local.stop().await;
    let kept = std::fs::read_to_string(dir.path().join("directory.json")).unwrap();
    assert!(!kept.contains(secret["secretText"].as_str().unwrap()));

    let local = Local::start_on(dir, super::clock).await;
    assert_eq!(local.endpoints.graph, url);
    let graph = Graph::of(&local).await;
    assert_eq!(graph.get(&path).await.1["displayName"], "a");
    Client::open(local.dir.path()).unwrap().reset().await.unwrap();
    assert_eq!(graph.get(&path).await.0, 404);
    local.stop().await;
}
