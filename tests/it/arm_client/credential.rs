//! The chain against a token endpoint.

use aci_operator::azure::{Environment, credential};
use aci_operator::ports::Fence;

use super::*;

fn environment(secret: &str) -> Environment {
    Environment::read(|name| match name {
        "AZURE_CLIENT_ID" => Some("app".to_owned()),
        "AZURE_TENANT_ID" => Some("tenant".to_owned()),
        "AZURE_CLIENT_SECRET" => Some(secret.to_owned()),
        _ => None,
    })
}

fn signed_in(server: &Server, secret: &str) -> Azure {
    let cloud = cloud(server);
    let chain = credential::chain(&cloud, &environment(secret)).unwrap();
    Azure::new(&cloud, chain, Arc::new(|_, _| {}), &Fence::open()).unwrap()
}

#[tokio::test]
async fn a_client_secret_buys_one_token_for_many_requests() {
    let server = Server::https(|seen, _| match seen.path() {
        "/tenant/oauth2/v2.0/token" => answer(
            200,
            &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "bought"}),
        ),
        _ => answer(200, &group("g")),
    });
    let azure = signed_in(&server, "right");
    azure.get(&id("g")).await.unwrap();
    azure.get(&id("g")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let form = String::from_utf8(seen[0].body.to_vec()).unwrap();
    assert!(form.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default"), "{form}");
    assert_eq!(seen[2].authorization.as_deref(), Some("Bearer bought"));
}

#[tokio::test]
async fn a_wrong_secret_is_forbidden_in_entras_words_and_not_shown() {
    let server = Server::https(|_, _| {
        let words = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: \"1\"";
        answer(
            401,
            &json!({"error": "invalid_client", "error_description": words, "error_codes": [7_000_215]}),
        )
    });
    let fault = signed_in(&server, "hunter2").get(&id("g")).await.unwrap_err();
    assert!(matches!(fault, Fault::Forbidden { service: "Entra ID", .. }), "{fault}");
    let text = format!("{fault} {fault:?}");
    assert!(text.contains("AADSTS7000215") && text.contains("environment:"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_is_unreachable() {
    let server = Server::https(|_, _| answer(200, &group("g")));
    let mut cloud = cloud(&server);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cloud.authority_host = Url::parse(&format!("https://localhost:{}", closed.port())).unwrap();
    let chain = credential::chain(&cloud, &environment("s")).unwrap();
    let azure = Azure::new(&cloud, chain, Arc::new(|_, _| {}), &Fence::open()).unwrap();
    let fault = azure.get(&id("g")).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { service: "Entra ID", .. }), "{fault}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_token_that_was_refused_is_not_used_again() {
    let server = Server::https(|seen, before| match seen.path() {
        "/tenant/oauth2/v2.0/token" => {
            let token = format!("token-{before}");
            answer(200, &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token}))
        }
        _ if seen.authorization.as_deref() == Some("Bearer token-0") => {
            error(401, "InvalidAuthenticationToken", "the key is not known")
        }
        _ => answer(200, &group("g")),
    });
    let azure = signed_in(&server, "right");
    let fault = azure.get(&id("g")).await.unwrap_err();
    assert!(matches!(fault, Fault::Forbidden { service: "ARM", .. }), "{fault}");
    azure.get(&id("g")).await.unwrap();
}

mod clients {
    use std::collections::BTreeMap;

    use aci_operator::azure::Clients;
    use aci_operator::core::{Credential, Secret};
    use aci_operator::ports::Clients as _;

    use super::*;

    const TENANT: &str = "00000000-0000-4000-8000-000000000001";
    const CLIENT: &str = "00000000-0000-4000-8000-000000000002";

    fn credential(secret: Option<&str>) -> Credential {
        let mut keys: BTreeMap<_, _> = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)]
            .map(|(key, text)| (key.to_owned(), Secret::new(text)))
            .into();
        keys.extend(secret.map(|text| ("AZURE_CLIENT_SECRET".to_owned(), Secret::new(text))));
        Credential::read(&keys).unwrap()
    }

    fn clients(server: &Server, environment: Environment) -> Clients {
        Clients::new(&cloud(server), environment, Arc::new(|_, _| {}), &Fence::open()).unwrap()
    }

    /// Sells a token for each assertion or secret that it is shown.
    fn shop() -> Server {
        Server::https(|seen, before| match seen.path() {
            path if path.ends_with("/oauth2/v2.0/token") => answer(
                200,
                &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{before}")}),
            ),
            _ => answer(200, &group("g")),
        })
    }

    #[tokio::test]
    async fn one_credential_buys_one_token_and_another_its_own() {
        let server = shop();
        let clients = clients(&server, environment("own"));
        for azure in [
            clients.own(),
            clients.of(&credential(Some("first"))).unwrap(),
            clients.of(&credential(Some("first"))).unwrap(),
            clients.of(&credential(Some("second"))).unwrap(),
        ] {
            azure.groups.get(&id("g")).await.unwrap();
        }
        let seen = server.seen();
        let bought = seen.iter().filter(|seen| seen.path().ends_with("/token"));
        let secrets: Vec<_> = bought.map(|seen| form(&seen.body, "client_secret")).collect();
        assert_eq!(secrets, ["own", "first", "second"]);
        let used = seen.iter().filter_map(|seen| seen.authorization.clone()).collect::<Vec<_>>();
        assert_eq!(used.len(), 4);
        assert!(used[1] == used[2] && used[0] != used[1] && used[2] != used[3], "{used:?}");
    }

    #[tokio::test]
    async fn without_a_client_secret_the_federated_token_is_shown_in_its_name() {
        let server = shop();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "projected").unwrap();
        let environment = Environment::read(|name| {
            (name == "AZURE_FEDERATED_TOKEN_FILE").then(|| file.to_str().unwrap().to_owned())
        });
        let azure = clients(&server, environment).of(&credential(None)).unwrap();
        azure.groups.get(&id("g")).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].path(), format!("/{TENANT}/oauth2/v2.0/token"));
        assert_eq!(form(&seen[0].body, "client_id"), CLIENT);
        assert_eq!(form(&seen[0].body, "client_assertion"), "projected");

        let without = clients(&server, self::environment("own"));
        let problem = without.of(&credential(None)).err().unwrap();
        assert!(problem.contains("AZURE_CLIENT_SECRET"), "{problem}");
    }

    fn form(body: &[u8], field: &str) -> String {
        let found = url::form_urlencoded::parse(body).find(|(name, _)| name == field);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}
