//! ARM's answers that are no success, and what they mean for the next pass.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>

use std::error::Error;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use chrono::DateTime;
use serde::Deserialize;

use crate::core::Fault;
use crate::core::fault::describe;

/// How faults of ARM name their service.
pub(super) const ARM: &str = "ARM";
/// How faults of the directory name their service.
pub(super) const GRAPH: &str = "Microsoft Graph";
/// How faults of the identity name their service.
pub(super) const ENTRA: &str = "Entra ID";

/// What a group in transition is to be given: "wait at least 10 s between operations".
/// <https://learn.microsoft.com/troubleshoot/azure/azure-container-instances/>
const TRANSITION: Duration = Duration::from_secs(10);
/// A longer wait than this is not believed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Longer messages are cut, in characters.
const LONGEST_MESSAGE: usize = 2000;

/// Conflicts that no wait resolves: a lock, a quota, a resource group of that name elsewhere.
const LASTING_CONFLICTS: [&str; 3] =
    ["ScopeLocked", "ContainerGroupQuotaReached", "InvalidResourceGroupLocation"];

/// An answer of ARM that is no success.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// ARM's code, empty where the body is not ARM's.
    pub(super) code: String,
    /// ARM's words.
    pub(super) message: String,
    /// What it asks us to wait.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Envelope {
    error: ErrorBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// Reads an answer; a body that is not ARM's (a proxy's page) is not shown.
    pub(super) fn read(status: u16, headers: &Headers, body: &[u8]) -> Self {
        let error = serde_json::from_slice(body)
            .map_or_else(|_| ErrorBody::default(), |e: Envelope| e.error);
        let mut message: String = error
            .message
            .unwrap_or_else(|| format!("status {status}"))
            .chars()
            .take(LONGEST_MESSAGE)
            .collect();
        if let Some(id) = header(headers, "x-ms-request-id") {
            message = format!("{message} (request {id})");
        }
        Self {
            status,
            code: error.code.unwrap_or_default(),
            message,
            retry_after: retry_after(headers),
        }
    }

    /// Whether this is ARM saying that the thing itself is not there. A 404 of a proxy, or of a
    /// subscription, is not.
    pub(super) fn is_absence(&self) -> bool {
        self.status == 404
            && ["ResourceNotFound", "ResourceGroupNotFound"].contains(&self.code.as_str())
    }

    /// Whether the subscription has yet to register the resource provider.
    pub(super) fn lacks_registration(&self) -> bool {
        self.status == 409 && self.code == "MissingSubscriptionRegistration"
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, retry_after } = refusal;
        let service = ARM;
        match status {
            401 | 403 => Self::Forbidden { service, message },
            409 if code == "ContainerGroupTransitioning" => {
                Self::Busy { service, message, retry_after: Some(longer(retry_after, TRANSITION)) }
            }
            // Other conflicts pass too: an operation on the resource group, a deletion at work.
            409 if !LASTING_CONFLICTS.contains(&code.as_str()) => {
                Self::Busy { service, message, retry_after }
            }
            429 => Self::Throttled { service, retry_after },
            408 | 500.. => Self::Failing { service, message, retry_after },
            _ if code.is_empty() => Self::Refused { service, code: status.to_string(), message },
            _ => Self::Refused { service, code, message },
        }
    }
}

fn longer(asked: Option<Duration>, least: Duration) -> Duration {
    asked.map_or(least, |asked| asked.max(least))
}

/// `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3); a date is measured from the
/// answer's own `Date`, so that our clock does not matter.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let raw = header(headers, "retry-after")?;
    let wait = if let Ok(seconds) = raw.parse() {
        // Graph gives fractions.
        Duration::try_from_secs_f64(f64::ceil(seconds)).unwrap_or(LONGEST_WAIT)
    } else {
        let date = |raw: &str| DateTime::parse_from_rfc2822(raw).ok();
        (date(&raw)? - date(&header(headers, "date")?)?).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

fn header(headers: &Headers, name: &'static str) -> Option<String> {
    headers.get_optional_string(&HeaderName::from_static(name))
}

/// A request that brought no answer.
pub(super) fn lost(service: &'static str, error: &azure_core::Error) -> Fault {
    if *error.kind() == ErrorKind::Credential {
        let message = describe(error);
        return if is_passing(error) {
            Fault::Unreachable { service: ENTRA, problem: message }
        } else {
            Fault::Forbidden { service: ENTRA, message }
        };
    }
    Fault::Unreachable { service, problem: describe(error) }
}

/// Whether an error of a credential, or one below it, is of the network or of a server that is broken for
/// now. 404 and 410 are what the metadata service says while it is not ready
/// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
pub(super) fn is_passing(error: &azure_core::Error) -> bool {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        match error.downcast_ref().map(azure_core::Error::kind) {
            Some(ErrorKind::Connection | ErrorKind::Io) => return true,
            Some(ErrorKind::HttpResponse { status, .. }) => {
                let status = u16::from(*status);
                return status >= 500 || matches!(status, 404 | 410 | 429);
            }
            _ => at = error.source(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    #[track_caller]
    fn check(status: u16, code: &str, retry: Option<&'static str>, expected: &Fault) {
        let body = serde_json::json!({"error": {"code": code, "message": "why"}}).to_string();
        let headers = retry.map_or_else(Headers::new, |wait| headers(&[("retry-after", wait)]));
        assert_eq!(Fault::from(Refusal::read(status, &headers, body.as_bytes())), *expected);
    }

    fn refused(code: &str) -> Fault {
        Fault::Refused { service: ARM, code: code.to_owned(), message: "why".to_owned() }
    }

    fn busy(seconds: Option<u64>) -> Fault {
        let retry_after = seconds.map(Duration::from_secs);
        Fault::Busy { service: ARM, message: "why".to_owned(), retry_after }
    }

    #[test]
    fn statuses_and_codes() {
        let forbidden = || Fault::Forbidden { service: ARM, message: "why".to_owned() };
        let failing = |seconds: Option<u64>| Fault::Failing {
            service: ARM,
            message: "why".to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        };
        let throttled = |seconds: Option<u64>| Fault::Throttled {
            service: ARM,
            retry_after: seconds.map(Duration::from_secs),
        };
        check(400, "InvalidParameter", None, &refused("InvalidParameter"));
        check(401, "ExpiredAuthenticationToken", None, &forbidden());
        check(403, "AuthorizationFailed", None, &forbidden());
        check(404, "ResourceGroupNotFound", None, &refused("ResourceGroupNotFound"));
        check(404, "SubscriptionNotFound", None, &refused("SubscriptionNotFound"));
        check(409, "ContainerGroupTransitioning", None, &busy(Some(10)));
        check(409, "ContainerGroupTransitioning", Some("3"), &busy(Some(10)));
        check(409, "ContainerGroupTransitioning", Some("40"), &busy(Some(40)));
        check(409, "AnotherOperationInProgress", None, &busy(None));
        check(409, "ScopeLocked", None, &refused("ScopeLocked"));
        check(429, "SubscriptionRequestsThrottled", Some("17"), &throttled(Some(17)));
        check(429, "", None, &throttled(None));
        check(429, "", Some("99999999"), &throttled(Some(3600)));
        check(500, "InternalServerError", None, &failing(None));
        check(503, "ServiceUnavailable", Some("5"), &failing(Some(5)));
    }

    #[test]
    fn what_is_not_arms_is_not_shown_and_never_absence() {
        let page = Refusal::read(404, &Headers::new(), b"<html>no such host</html>");
        assert!(!page.is_absence());
        assert_eq!(page.message, "status 404");
        let null =
            Refusal::read(500, &Headers::new(), br#"{"error":{"code":null,"message":null}}"#);
        assert_eq!((null.code.as_str(), null.message.as_str()), ("", "status 500"));
        for (code, absent) in [
            ("ResourceNotFound", true),
            ("ResourceGroupNotFound", true),
            ("SubscriptionNotFound", false),
        ] {
            let body = serde_json::json!({"error": {"code": code, "message": "m"}}).to_string();
            assert_eq!(Refusal::read(404, &Headers::new(), body.as_bytes()).is_absence(), absent);
        }
    }

    #[test]
    fn escapes_in_messages_are_read() {
        let body = br#"{"error":{"code":"X","message":"the name \"a\"\r\nis taken"}}"#;
        let refusal = Refusal::read(400, &headers(&[("x-ms-request-id", "r1")]), body);
        assert_eq!(refusal.message, "the name \"a\"\r\nis taken (request r1)");
    }

    #[test]
    fn a_date_is_measured_from_the_answers_own() {
        let at = |retry, date| retry_after(&headers(&[("retry-after", retry), ("date", date)]));
        let wait = at("Fri, 01 Jan 2021 00:00:10 GMT", "Fri, 01 Jan 2021 00:00:00 GMT");
        assert_eq!(wait, Some(Duration::from_secs(10)));
        let past = at("Fri, 01 Jan 2021 00:00:00 GMT", "Fri, 01 Jan 2021 00:00:10 GMT");
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(at("soon", "Fri, 01 Jan 2021 00:00:10 GMT"), None);
    }

    #[test]
    fn a_wrong_secret_is_no_outage() {
        let wrong = azure_core::Error::with_message(ErrorKind::Credential, "AADSTS7000215");
        assert!(matches!(lost(ARM, &wrong), Fault::Forbidden { service: ENTRA, .. }));
        let io = std::io::Error::other("connection refused");
        let network = azure_core::Error::with_error(ErrorKind::Connection, io, "failed");
        let outage = azure_core::Error::with_error(ErrorKind::Credential, network, "no token");
        let Fault::Unreachable { service: ENTRA, problem } = lost(ARM, &outage) else { panic!() };
        assert_eq!(problem, "no token: failed: connection refused");
    }
}
