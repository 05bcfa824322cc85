//! Local Azure as the containers of a group see it: the host's URLs, verified.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aci_operator::emulator::engine::docker::Docker;
use aci_operator::emulator::engine::{Engine, Inside};
use aci_operator::emulator::{Config, Endpoints, Error, endpoints, environment, serve};
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::support::*;

#[expect(clippy::disallowed_methods, reason = "the clock of these tests")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// A local Azure over containers, in this process.
struct Azure {
    engine: Arc<Docker>,
    endpoints: Endpoints,
    stop: CancellationToken,
    server: JoinSet<Result<(), Error>>,
}

impl Azure {
    async fn start(id: &str, dir: &Path) -> Self {
        let engine = Arc::new(connect(id).await);
        let shared: Arc<dyn Engine> = Arc::clone(&engine) as _;
        let (stop, mut server) = (CancellationToken::new(), JoinSet::new());
        let config = Config::new(dir.to_owned(), shared, "docker", clock);
        server.spawn(serve(config, stop.clone().cancelled_owned()));
        let endpoints = loop {
            if let Some(endpoints) = endpoints(dir).unwrap() {
                break endpoints;
            }
            assert!(server.try_join_next().is_none(), "it ended instead of getting ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        Self { engine, endpoints, stop, server }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.server.join_next().await.unwrap().unwrap().unwrap();
    }

    /// What a container is answered to a GET of Entra ID, its certificate verified.
    async fn ask(&self, path: &str, environment: &str) -> String {
        let authority = self.endpoints.entra.strip_prefix("https://").unwrap();
        let command = format!(
            "stty cols 999; printf 'GET {path} HTTP/1.1\\r\\nHost: {authority}\\r\\n\
             Connection: close\\r\\n\\r\\n' | {environment} openssl s_client -quiet \
             -verify_return_error -verify_hostname localhost -connect {authority}; exit\n"
        );
        String::from_utf8(session(&self.engine, "g", "app", &command).await).unwrap()
    }
}

#[tokio::test]
async fn a_container_verifies_entra_at_the_hosts_url_also_after_a_restart() {
    with_id(async |id| {
        let dir = tempfile::tempdir().unwrap();
        let azure = Azure::start(&id, dir.path()).await;
        let tenant = environment(dir.path()).unwrap();
        let tenant = &tenant.iter().find(|(name, _)| name == "AZURE_TENANT_ID").unwrap().1;
        let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        let issuer = format!("\"issuer\":\"{}/{tenant}/v2.0\"", azure.endpoints.entra);
        azure.engine.start("g", &group(vec![shell("app", "sleep 9999")])).await.unwrap();

        let seen = azure.ask(&path, "").await;
        assert!(seen.contains("HTTP/1.1 200 OK") && seen.contains(&issuer), "{seen}");
        // By the bundle that it was given, and by nothing else.
        let refused = azure.ask(&path, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt").await;
        assert!(refused.contains("certificate verify failed"), "{refused}");
        assert!(!refused.contains("200 OK"), "{refused}");

        let before = azure.engine.inspect("g").await.unwrap()["app"].started_at;
        azure.stop().await;
        let azure = Azure::start(&id, dir.path()).await;
        let seen = azure.ask(&path, "").await;
        assert!(seen.contains("HTTP/1.1 200 OK") && seen.contains(&issuer), "{seen}");
        assert_eq!(azure.engine.inspect("g").await.unwrap()["app"].started_at, before);
        azure.stop().await;
    })
    .await;
}

/// Local Azure's own services: at the same loopback address as on the host, and trusted.
#[tokio::test]
async fn local_azure_is_inside_each_group() {
    with_id(async |id| {
        let (opened, mut doors) = tokio::sync::mpsc::unbounded_channel();
        let port = 38_000;
        let inside = || Inside {
            addresses: vec![([127, 0, 0, 1], port).into()],
            trusted: b"ROOTS\n".to_vec(),
            opened: opened.clone(),
        };
        let ask = format!(
            "cat $SSL_CERT_FILE; while :; do
                if exec 3<>/dev/tcp/127.0.0.1/{port}; then head -n1 <&3; else echo closed; fi
                sleep 0.2; done 2>/dev/null"
        );
        let mut own = shell("own", "echo $SSL_CERT_FILE");
        own.environment = vec![("SSL_CERT_FILE".to_owned(), "/its/own".to_owned())];
        let run = group(vec![shell("client", &ask), own]);

        let engine = connect(&id).await;
        engine.offer(inside()).await.unwrap();
        engine.start("g", &run).await.unwrap();
        let door = doors.recv().await.unwrap();
        assert_eq!(door.listener.local_addr().unwrap(), ([127, 0, 0, 1], port).into());
        // It is not the host's: nobody is there.
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
        let (mut client, _) = door.listener.accept().unwrap();
        std::io::Write::write_all(&mut client, b"hello\n").unwrap();
        let seen = logs_when(&engine, "g", "client", "hello").await;
        assert!(seen.starts_with("ROOTS\n"), "{seen}");
        assert_eq!(output(&engine, "g", "own").await, "/its/own\n");

        // Another process over the same groups opens them again.
        drop((engine, client, door));
        let engine = connect(&id).await;
        engine.offer(inside()).await.unwrap();
        let door = doors.recv().await.unwrap();
        let (mut client, _) = door.listener.accept().unwrap();
        std::io::Write::write_all(&mut client, b"again\n").unwrap();
        logs_when(&engine, "g", "client", "again").await;
        engine.remove("g").await.unwrap();
        assert!(door.closed.is_cancelled());
    })
    .await;
}
