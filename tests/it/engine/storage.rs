//! Blobs as a container of a group sees them: at the host's own URL, with a token of its identity.

use std::sync::Arc;

use aci_operator::emulator::Config;
use reqwest::Method;
use serde_json::json;

use super::metadata::{ASK, identity, printed, run};
use super::support::*;
use crate::emulator::local::{Local, clock};
use crate::emulator::storage::{CONTRIBUTOR, account, assign_to, azurite, make_account};

#[tokio::test]
async fn a_container_writes_blobs_as_its_identity() {
    with_id(async |id| {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let engine = Arc::new(connect(&id).await);
        let mut config = Config::new(dir.path().to_owned(), engine, "docker", clock);
        config.azurite = azurite();
        let local = Local::start_with(dir, config).await;
        let arm = local.signed_in().await;
        arm.make_resource_group().await;
        make_account(&arm, "keep1").await;
        let service = format!("{}/blobServices/default/containers", account("keep1"));
        for name in ["home", "home-secrets"] {
            let path = format!("{service}/{name}");
            assert_eq!(arm.send(Method::PUT, &path, json!({})).await.0, 201);
        }
        let mine = identity(&arm, "mine").await;
        let scope = format!("{service}/home");
        let assignment = uuid::Uuid::new_v4().to_string();
        assign_to(&arm, &mine["properties"]["principalId"], CONTRIBUTOR, &scope, &assignment).await;

        let host = local.endpoints.blob.strip_prefix("https://").unwrap();
        let script = format!(
            r#"{ASK}
            query='api-version=2018-02-01&resource=https://storage.azure.com/'
            token=$(ask "$marked" "$query" | grep -o '"access_token":"[^"]*"' | cut -d'"' -f4)
            for container in home home-secrets; do
                echo "== $container"
                printf "PUT /keep1/$container/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer $token\r\nx-ms-version: 2024-11-04\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1" |
                    openssl s_client -quiet -verify_return_error -verify_hostname localhost -connect {host} 2>/dev/null
                echo
            done
            echo "== end"; sleep 9999"#
        );
        run(&arm, &[&mine], &script).await;
        let seen = printed(&arm, "== end").await;
        assert!(seen.contains("== home\nHTTP/1.1 201 "), "{seen}");
        let refused = seen.split("== home-secrets\n").nth(1).unwrap();
        assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
        assert!(refused.contains("AuthorizationPermissionMismatch"), "{refused}");
        local.stop().await;
    })
    .await;
}
