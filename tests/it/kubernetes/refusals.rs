//! One edit of a good manifest, and what is said of it.

use aci_operator::api::crd;
use aci_operator::api::parse::parse;
use serde_json::{Value, json};

use cases::{
    Case, group, group_cases, identity_cases, issuer, issuer_cases, registration,
    registration_cases, with_identity,
};

use super::clients::server;
use super::{edited, tried};

mod cases;

#[tokio::test]
async fn a_group_is_refused_with_the_words_of_the_check() {
    refused(&group(), "refusals-group", &group_cases()).await;
}

#[tokio::test]
async fn an_identity_is_refused_with_the_words_of_the_check() {
    refused(&with_identity(), "refusals-identity", &identity_cases()).await;
}

#[tokio::test]
async fn an_issuer_is_refused_with_the_words_of_the_check() {
    refused(&issuer(), "refusals-issuer", &issuer_cases()).await;
}

#[tokio::test]
async fn a_registration_is_refused_with_the_words_of_the_check() {
    refused(&registration(), "refusals-registration", &registration_cases()).await;
}

/// A rule that no case provokes may be one that never refuses. What names the thing in Azure and the
/// object's name have tests of their own.
#[test]
fn every_rule_is_provoked() {
    let cases = [group_cases(), identity_cases(), issuer_cases(), registration_cases()].concat();
    let mut untried = Vec::new();
    for definition in crd::all().unwrap() {
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for message in messages(&schema["properties"]["spec"]) {
            if !cases.iter().any(|(_, words)| message.contains(words)) {
                untried.push(message.to_owned());
            }
        }
    }
    assert!(untried.is_empty(), "{untried:#?}");
}

/// Messages of all rules of a schema.
fn messages(schema: &Value) -> Vec<&str> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let own = rules.map(|rule| rule["message"].as_str().unwrap());
    let properties = schema["properties"].as_object().into_iter().flatten();
    let below = properties.map(|(_, property)| property).chain(schema.get("items"));
    own.chain(below.flat_map(messages)).collect()
}

async fn refused(good: &Value, namespace: &str, cases: &[Case]) {
    let client = server().namespace(namespace).await;
    tried(&client, good).await.unwrap();
    assert_eq!(own_words(good), "", "{good}");
    for (edits, words) in cases {
        let bad = edited(good, edits);
        let said = tried(&client, &bad).await.expect_err(words);
        assert!(said.contains(words), "{words} is not in: {said}");
        let said = own_words(&bad);
        assert!(said.contains(words), "{words} is not in: {said}");
    }
}

/// What the operator's own check says.
fn own_words(manifest: &Value) -> String {
    let problems = parse(&manifest.to_string(), "manifest.json").problems;
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What the schema itself holds: the server has words of its own for it.
#[tokio::test]
async fn shapes_are_held_by_the_server() {
    let client = server().namespace("refusals-shape").await;
    let twice = group()["spec"]["containers"][0].clone();
    let many = (0..6).map(|port| json!({"port": 8000 + port})).collect::<Vec<_>>();
    let volumes = (0..19).map(|n| json!({"name": format!("cache-{n}"), "emptyDir": {}}));
    let volumes = Value::from(volumes.collect::<Vec<_>>());
    let tags = Value::Object((0..47).map(|n| (format!("tag-{n}"), json!("x"))).collect());
    let name = json!("a.b");
    for (good, pointer, value, words) in [
        (group(), "/spec/containers", json!([]), "should have at least 1 items"),
        (group(), "/spec/containers/-", twice, "Duplicate value"),
        (group(), "/spec/ipAddress/ports", Value::from(many), "must have at most 5 items"),
        (group(), "/spec/volumes", volumes, "must have at most 18 items"),
        (group(), "/spec/tags", tags, "must have at most 46"),
        (group(), "/spec/containers/0/ports/0/port", json!(0), "greater than or equal to 1"),
        (group(), "/spec/containers/0/name", json!("No"), "should match"),
        (group(), "/spec/updatePolicy", json!("Maybe"), "Unsupported value"),
        (group(), "/spec/resourceGroup", Value::Null, "Required value"),
        (group(), "/metadata/name", name.clone(), "must have 1 to 63 lower-case letters"),
        (issuer(), "/metadata/name", name, "must have 1 to 63 lower-case letters"),
        (group(), "/spec/identityRef", json!({"name": ""}), "should be at least 1 chars long"),
        (registration(), "/spec/identityRef", json!({}), "Required value"),
        (registration(), "/spec/redirectUris/-", json!("http://localhost:8000"), "Duplicate value"),
        (registration(), "/spec/adopt", json!({"appId": "x"}), "should match"),
    ] {
        let bad = edited(&good, &[(pointer, value)]);
        let said = tried(&client, &bad).await.expect_err(words);
        assert!(said.contains(words), "{words} is not in: {said}");
    }
}
