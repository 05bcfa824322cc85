//! The daemon's own server.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use aci_operator::http::{Readiness, serve};
use aci_operator::metrics::{CONTENT_TYPE, Metrics, Series};
use aci_operator::tls;

async fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    tls::install_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.text().await.unwrap())
}

#[tokio::test]
async fn it_tells_readiness_and_metrics_until_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (readiness, metrics) = (Readiness::default(), Metrics::new());
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let cancelled = shutdown.clone().cancelled_owned();
    tasks.spawn(serve(listener, readiness.clone(), metrics.clone(), cancelled));

    assert_eq!(get(address, "/healthz").await.0, 200);
    assert_eq!(get(address, "/readyz").await.0, 503);
    readiness.set(true);
    assert_eq!(get(address, "/readyz").await.0, 200);
    readiness.set(false);
    assert_eq!(get(address, "/readyz").await.0, 503);
    metrics.ready(Series { kind: "ContainerGroup", namespace: None, name: "web" }, true);
    let (status, kind, text) = get(address, "/metrics").await;
    assert_eq!((status, kind.as_str()), (200, CONTENT_TYPE));
    assert!(text.contains("aci_operator_ready{") && text.ends_with("# EOF\n"), "{text}");

    readiness.set(true);
    shutdown.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert!(!readiness.get());
}
