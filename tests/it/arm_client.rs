//! Traps of the transport, each with a server that sets it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aci_operator::azure::{Azure, Cloud, Error};
use aci_operator::core::Fault;
use aci_operator::core::container_group::{Body, GroupId, Scope};
use aci_operator::ports::{ContainerGroups as _, Fence, ResourceGroups as _};
use axum::http::Version;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use serde_json::{Value, json};
use url::Url;

use crate::stub_arm::{Server, error, json as answer, with_headers};

mod credential;
mod exec;
mod leaks;

const TOKEN: &str = "token-of-the-test";

#[derive(Debug)]
struct Fixed;

#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let life = azure_core::time::Duration::hours(1);
        Ok(AccessToken::new(TOKEN, OffsetDateTime::now_utc() + life))
    }
}

/// Operations and statuses that a client told of.
type Told = Arc<Mutex<Vec<(&'static str, u16)>>>;

fn cloud(server: &Server) -> Cloud {
    let url = Url::parse(&format!("https://localhost:{}", server.address.port())).unwrap();
    Cloud::custom(
        url.clone(),
        "https://management.azure.com",
        url.clone(),
        url,
        server.ca_pem.clone(),
    )
}

fn client_of(cloud: &Cloud) -> (Azure, Told) {
    aci_operator::tls::install_provider();
    let told = Told::default();
    let teller = Arc::clone(&told);
    let observer = Arc::new(move |operation, code| teller.lock().unwrap().push((operation, code)));
    (Azure::new(cloud, Arc::new(Fixed), observer, &Fence::open()).unwrap(), told)
}

fn client(server: &Server) -> Azure {
    client_of(&cloud(server)).0
}

fn id(name: &str) -> GroupId {
    GroupId {
        subscription: "sub".to_owned(),
        resource_group: "rg".to_owned(),
        name: name.to_owned(),
    }
}

fn body() -> Body {
    Body {
        location: "westeurope".to_owned(),
        tags: BTreeMap::new(),
        properties: json!({"osType": "Linux", "containers": [{"name": "a", "image": "i"}]}),
    }
}

fn group(name: &str) -> Value {
    json!({"id": id(name).to_string(), "name": name, "properties": {"provisioningState": "Pending"}})
}

#[tokio::test]
async fn a_group_is_asked_for_with_our_token() {
    let server = Server::https(|_, _| answer(200, &group("g")));
    let (azure, told) = client_of(&cloud(&server));
    assert_eq!(azure.get(&id("g")).await.unwrap().unwrap().name, "g");
    let seen = &server.seen()[0];
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.authorization.as_deref(), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(seen.path_and_query, format!("{}?api-version=2023-05-01", id("g")));
    assert_eq!(*told.lock().unwrap(), [("containerGroups.get", 200)]);
}

#[tokio::test]
async fn an_endpoint_without_tls_gets_no_client() {
    let url = Url::parse("http://localhost:1").unwrap();
    let cloud = Cloud::custom(url.clone(), "a", url.clone(), url, Vec::new());
    let refused = Azure::new(&cloud, Arc::new(Fixed), Arc::new(|_, _| {}), &Fence::open());
    assert!(matches!(refused, Err(Error::Endpoint(_))));
}

#[tokio::test]
async fn a_server_of_another_ca_gets_no_token() {
    let server = Server::https(|_, _| answer(200, &group("g")));
    let mut cloud = cloud(&server);
    cloud.ca_pem = Vec::new();
    let fault = client_of(&cloud).0.get(&id("g")).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { service: "ARM", .. }), "{fault}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn names_cannot_climb() {
    let server = Server::https(|_, _| answer(200, &group("g")));
    let azure = client(&server);
    for name in ["..", ".", "", "../../other", "a/b", "a\\b", "a\nb"] {
        let fault = azure.get(&id(name)).await.unwrap_err();
        assert!(
            matches!(fault, Fault::Refused { ref code, .. } if code == "InvalidName"),
            "{name:?}"
        );
    }
    assert!(server.seen().is_empty());
    azure.get(&id("a?b#c%2e%2e")).await.unwrap();
    assert!(server.seen()[0].path().ends_with("/containerGroups/a%3Fb%23c%252e%252e"));
}

#[tokio::test]
async fn messages_with_escapes_are_read() {
    let words = "the group \"g\"\r\nis in transition";
    let server = Server::https(move |_, _| error(409, "ContainerGroupTransitioning", words));
    let fault = client(&server).put(&id("g"), &body()).await.unwrap_err();
    let expected = Fault::Busy {
        service: "ARM",
        message: words.to_owned(),
        retry_after: Some(Duration::from_secs(10)),
    };
    assert_eq!(fault, expected);
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_is_answered() {
    for (status, retry) in [(201, "1"), (202, "1"), (429, "7"), (500, "7"), (503, "7")] {
        let server = Server::https(move |_, _| {
            let headers =
                [("retry-after", retry), ("azure-asyncoperation", "https://elsewhere.test/")];
            with_headers(status, &headers, "{}".to_owned())
        });
        let put = client(&server).put(&id("g"), &body()).await;
        assert_eq!(server.seen().len(), 1, "{status}");
        match put {
            Ok(()) => assert!(status < 300),
            Err(Fault::Throttled { retry_after, .. } | Fault::Failing { retry_after, .. }) => {
                assert_eq!(retry_after, Some(Duration::from_secs(7)), "{status}");
            }
            Err(other) => panic!("{status}: {other}"),
        }
    }
}

/// A port at which every connection ends before TLS does.
async fn without_an_answer(ask: impl AsyncFn(Azure) -> Fault) -> Vec<(&'static str, u16)> {
    let server = Server::https(|_, _| answer(200, &json!({})));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let mut cloud = cloud(&server);
    cloud.resource_manager.set_port(Some(port)).unwrap();
    let (azure, told) = client_of(&cloud);
    let fault = ask(azure).await;
    assert!(matches!(fault, Fault::Unreachable { service: "ARM", .. }), "{fault}");
    told.lock().unwrap().clone()
}

#[tokio::test]
async fn a_read_without_an_answer_is_sent_again_and_a_write_is_not() {
    let read = without_an_answer(async |azure| azure.get(&id("g")).await.unwrap_err()).await;
    assert_eq!(read, [("containerGroups.get", 0); 3]);
    let write = without_an_answer(async |azure| azure.put(&id("g"), &body()).await.unwrap_err());
    assert_eq!(write.await, [("containerGroups.put", 0)]);
    let delete = without_an_answer(async |azure| azure.delete(&id("g")).await.unwrap_err()).await;
    assert_eq!(delete, [("containerGroups.delete", 0)]);
}

#[tokio::test]
async fn all_pages_of_a_list() {
    let server = Server::https(|_, before| {
        let (name, next) = match before {
            0 => ("a", json!("/page2?token=x")),
            1 => ("b", json!("page3")),
            _ => ("c", Value::Null),
        };
        answer(200, &json!({"value": [group(name), {"no": "group"}], "nextLink": next}))
    });
    let groups = client(&server).list(&Scope::Subscription("sub".to_owned())).await.unwrap();
    assert_eq!(groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let seen = server.seen();
    assert_eq!(seen[1].path_and_query, "/page2?token=x");
    assert!(seen[0].path().starts_with("/subscriptions/sub/providers/"));
}

#[tokio::test]
async fn no_link_leads_away_with_our_token() {
    let elsewhere = Server::https(|_, _| answer(200, &json!({"value": []})));
    let port = elsewhere.address.port();
    for link in [
        format!("https://localhost:{port}/page2"),
        format!("//localhost:{port}/page2"),
        format!("http://localhost:{port}/page2"),
        "https://user@evil.test/page2".to_owned(),
    ] {
        let server =
            Server::https(move |_, _| answer(200, &json!({"value": [], "nextLink": link})));
        let mut cloud = cloud(&server);
        cloud.ca_pem.extend(&elsewhere.ca_pem);
        let scope = Scope::ResourceGroup { subscription: "sub".to_owned(), name: "rg".to_owned() };
        let fault = client_of(&cloud).0.list(&scope).await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { ref code, .. } if code == "UntrustedAnswer"));
    }
    let server = Server::https(move |_, _| {
        let location = format!("https://localhost:{port}/");
        with_headers(307, &[("location", &location)], String::new())
    });
    let mut cloud = cloud(&server);
    cloud.ca_pem.extend(&elsewhere.ca_pem);
    client_of(&cloud).0.get(&id("g")).await.unwrap_err();
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn absence_is_arms_own_word() {
    let code = |code: &'static str| Server::https(move |_, _| error(404, code, "not there"));
    let (gone, no_group) = (code("ResourceNotFound"), code("ResourceGroupNotFound"));
    assert_eq!(client(&gone).get(&id("g")).await, Ok(None));
    assert_eq!(client(&no_group).get(&id("g")).await, Ok(None));
    assert_eq!(client(&gone).delete(&id("g")).await, Ok(()));
    assert_eq!(client(&no_group).exists("sub", "rg").await, Ok(false));
    // A missing resource group is a missing group for a read, and a refusal for a write.
    let put = client(&no_group).put(&id("g"), &body()).await;
    assert!(matches!(put, Err(Fault::Refused { code, .. }) if code == "ResourceGroupNotFound"));

    let no_subscription = code("SubscriptionNotFound");
    let proxy = Server::https(|_, _| with_headers(404, &[], "<html>who?</html>".to_owned()));
    let forbidden = Server::https(|_, _| error(403, "AuthorizationFailed", "no"));
    for server in [no_subscription, proxy, forbidden] {
        client(&server).get(&id("g")).await.unwrap_err();
        client(&server).delete(&id("g")).await.unwrap_err();
        client(&server).exists("sub", "rg").await.unwrap_err();
    }
}

#[tokio::test]
async fn the_provider_is_registered_once_and_waited_for() {
    let server = Server::https(|seen, _| match seen.method.as_str() {
        "POST" => answer(200, &json!({"registrationState": "Registering"})),
        _ => error(409, "MissingSubscriptionRegistration", "not registered"),
    });
    let azure = client(&server);
    for _ in 0..2 {
        let fault = azure.put(&id("g"), &body()).await.unwrap_err();
        assert!(matches!(fault, Fault::Busy { retry_after: Some(_), .. }), "{fault}");
    }
    let posts: Vec<_> = server.seen().into_iter().filter(|s| s.method == "POST").collect();
    assert_eq!(posts.len(), 1);
    let register = "/subscriptions/sub/providers/Microsoft.ContainerInstance/register";
    assert_eq!(posts[0].path(), register);
}

#[tokio::test]
async fn a_resource_group_that_exists_is_left_alone() {
    let there = Server::https(|_, _| answer(200, &json!({"name": "rg"})));
    client(&there).create("sub", "rg", "westeurope").await.unwrap();
    assert_eq!((there.count("GET"), there.count("PUT")), (1, 0));

    let missing = Server::https(|seen, _| match seen.method.as_str() {
        "PUT" => answer(201, &json!({"name": "rg"})),
        _ => error(404, "ResourceGroupNotFound", "not there"),
    });
    client(&missing).create("sub", "rg", "westeurope").await.unwrap();
    assert_eq!(missing.seen()[1].json(), json!({"location": "westeurope"}));
}

#[tokio::test]
async fn tags_and_logs() {
    let server = Server::https(|seen, _| match seen.method.as_str() {
        "PATCH" => answer(200, &group("g")),
        _ => answer(200, &json!({"content": null})),
    });
    let azure = client(&server);
    let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    azure.tag(&id("g"), &tags).await.unwrap();
    assert_eq!(server.seen()[0].json(), json!({"tags": {"a": "b"}}));
    assert_eq!(azure.logs(&id("g"), "app", Some(5), true).await.unwrap(), "");
    let asked = &server.seen()[1].path_and_query;
    assert!(asked.ends_with("/containers/app/logs?api-version=2023-05-01&tail=5&timestamps=true"));
}
