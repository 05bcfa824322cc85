//! Liveness and readiness probes, run from inside the group as ACI's are.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::KillContainerOptions;
use futures::StreamExt as _;
use tokio::sync::watch;

use super::supervisor::{Member, Progress};
use super::{EngineError, ProbeAction, ProbeRun, fault, holder};

/// How often a finished exec is asked for its exit code.
const POLL: Duration = Duration::from_millis(20);
/// Longest output of a probe that is kept.
const OUTPUT: usize = 4096;

/// Probes one run of a container; never returns. Too many failures of liveness kill it.
pub(super) async fn watch(
    api: &bollard::Docker,
    member: &Member,
    progress: &watch::Sender<Progress>,
) {
    let liveness = async {
        let Some(probe) = &member.supervision.liveness else { return };
        let mut streak = Streak::new(probe, true);
        tokio::time::sleep(seconds(probe.initial_delay_seconds)).await;
        loop {
            if !streak.record(passes(api, member, probe).await) {
                tracing::info!(container = member.name, "liveness probe failed");
                let options = None::<KillContainerOptions>;
                if let Err(error) = api.kill_container(&member.container, options).await {
                    tracing::debug!(container = member.name, %error, "cannot kill");
                }
                streak = Streak::new(probe, true);
            }
            tokio::time::sleep(seconds(probe.period_seconds.max(1))).await;
        }
    };
    let readiness = async {
        let Some(probe) = &member.supervision.readiness else { return };
        let mut streak = Streak::new(probe, false);
        tokio::time::sleep(seconds(probe.initial_delay_seconds)).await;
        loop {
            let ready = streak.record(passes(api, member, probe).await);
            progress.send_modify(|progress| progress.ready = ready);
            tokio::time::sleep(seconds(probe.period_seconds.max(1))).await;
        }
    };
    tokio::join!(liveness, readiness);
    std::future::pending::<()>().await;
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

/// The verdict that results in a row add up to.
struct Streak {
    verdict: bool,
    /// Results in a row that contradict the verdict.
    against: u32,
    failures: u32,
    successes: u32,
}

impl Streak {
    fn new(probe: &ProbeRun, verdict: bool) -> Self {
        Self {
            verdict,
            against: 0,
            failures: probe.failure_threshold.max(1),
            successes: probe.success_threshold.max(1),
        }
    }

    /// Takes a result in and returns the verdict.
    fn record(&mut self, passed: bool) -> bool {
        self.against = if passed == self.verdict { 0 } else { self.against + 1 };
        if self.against >= if self.verdict { self.failures } else { self.successes } {
            self.verdict = passed;
            self.against = 0;
        }
        self.verdict
    }
}

/// One probe. An engine that does not answer fails none.
async fn passes(api: &bollard::Docker, member: &Member, probe: &ProbeRun) -> bool {
    let timeout = probe.timeout_seconds.max(1);
    let result = match &probe.action {
        ProbeAction::Exec(command) => {
            let done = run(api, &member.container, command.clone());
            tokio::time::timeout(seconds(timeout), done)
                .await
                .map(|result| result.map(|(code, _)| code == 0))
        }
        ProbeAction::HttpGet { path, port } => {
            let command = vec![
                holder::PROGRAM.to_owned(),
                port.to_string(),
                timeout.to_string(),
                request(path, *port),
            ];
            let done = run(api, &member.holder, command);
            tokio::time::timeout(seconds(timeout), done)
                .await
                .map(|result| result.map(|(_, output)| is_success(&output)))
        }
    };
    match result {
        Ok(Ok(passed)) => passed,
        Ok(Err(EngineError::Unreachable(_))) => true,
        Ok(Err(_)) | Err(_) => false,
    }
}

fn request(path: &str, port: u16) -> String {
    // A line break would end the request line: whatever follows would be read as headers.
    let path: String = path.chars().filter(|c| !c.is_control() && *c != ' ').collect();
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!(
        "GET {slash}{path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: probe\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// Whether the answer's status is 200 to 399.
fn is_success(answer: &[u8]) -> bool {
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    status
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse::<u16>().ok())
        .is_some_and(|status| (200..400).contains(&status))
}

/// Runs a command in a container to its end: exit code and output.
async fn run(
    api: &bollard::Docker,
    container: &str,
    command: Vec<String>,
) -> Result<(i64, Vec<u8>), EngineError> {
    let failed = |error| fault(error, container);
    let options = CreateExecOptions {
        cmd: Some(command),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let id = api.create_exec(container, options).await.map_err(failed)?.id;
    let started = api.start_exec(&id, None::<StartExecOptions>).await.map_err(failed)?;
    let mut printed = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(part) = output.next().await {
            if let Ok(LogOutput::StdOut { message }) = part
                && printed.len() < OUTPUT
            {
                printed.extend_from_slice(&message);
            }
        }
    }
    loop {
        let inspected = api.inspect_exec(&id).await.map_err(failed)?;
        match inspected.exit_code {
            Some(code) if inspected.running != Some(true) => return Ok((code, printed)),
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        for (answer, success) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.0 399 x", true),
            ("HTTP/1.1 400 Bad Request", false),
            ("HTTP/1.1 199", false),
            ("HTTP/1.1 20", false),
            ("SSH-2.0-x", false),
            ("", false),
        ] {
            assert_eq!(is_success(answer.as_bytes()), success, "{answer:?}");
        }
    }

    #[test]
    fn a_path_stays_one_request_line() {
        let request = request("healthz\r\nX: y", 80);
        assert!(request.starts_with("GET /healthzX:y HTTP/1.1\r\nHost: localhost:80\r\n"));
    }

    #[test]
    fn thresholds_count_in_a_row() {
        let probe = ProbeRun {
            action: ProbeAction::Exec(Vec::new()),
            initial_delay_seconds: 0,
            period_seconds: 1,
            timeout_seconds: 1,
            failure_threshold: 2,
            success_threshold: 1,
        };
        let mut streak = Streak::new(&probe, false);
        let verdicts = [false, true, false, true, false, false, true];
        let seen = verdicts.map(|passed| streak.record(passed));
        assert_eq!(seen, [false, true, true, true, true, false, true]);
    }
}
