//! What is logged, at the finest level of every crate below us.

use super::*;
use crate::log::Log;

#[tokio::test]
async fn neither_token_nor_secret_is_logged() {
    let log = Log::start();
    let server = Server::https(|_, _| answer(201, &group("g")));
    let mut body = body();
    body.properties["containers"][0]["environmentVariables"] =
        json!([{"name": "P", "secureValue": "secret-of-the-test"}]);
    client(&server).put(&id("g"), &body).await.unwrap();

    let log = log.text();
    assert!(log.contains("containerGroups.put"), "our own line is there");
    for secret in [TOKEN, "secret-of-the-test"] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None);
    }
}
