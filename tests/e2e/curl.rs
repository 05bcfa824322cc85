//! The line that the quickstart prints.

use std::path::Path;

use tokio::process::Command;

use super::home::{HOST, Home};

async fn curl(ca: &Path, target: &str) -> std::process::Output {
    let mut command = Command::new("curl");
    for variable in ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(variable);
    }
    command.env("NO_PROXY", "*").arg("--cacert").arg(ca);
    command.args(["--capath", "/dev/null", "--connect-to", target]);
    command.args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", &format!("https://{HOST}/")]);
    command.output().await.expect("the package curl")
}

#[tokio::test]
async fn curl_trusts_our_root_and_no_other() {
    let home = Home::applied().await;
    let root = home.dir().join("ca.pem");
    std::fs::write(&root, home.ok(&["ca", "export"]).await).unwrap();
    let target = format!("{HOST}:443:{}:443", home.status().await.ip());
    let output = curl(&root, &target).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (body, code) = text.rsplit_once('\n').unwrap();
    assert_eq!(code, "200");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["message"], "1.0");
    assert_eq!(body["greeting"], "hello from the secret");
    assert_eq!(body["forwarded_proto"], "https");

    // 60: the peer's certificate cannot be verified.
    let refused = curl(&home.dir().join("local/ca.pem"), &target).await;
    assert_eq!(refused.status.code(), Some(60));
}
