//! What to do for an issuer.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Constraints;
use crate::core::certificate::{CheckFailed, LeafFacts, RootRequest};
use crate::core::{Assertion, ConditionType, Goal, Health, Plan, Reason, Wake};

/// Life of a root: ten years.
const ROOT_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
/// Nobody but us writes a root, but time passes.
const LOOK_AGAIN: Wake = Wake::After(Duration::from_mins(10));
/// Who renews a provided chain, such as cert-manager, replaces the secret without a word. The look asks
/// nothing of Azure, and the groups that refer to the issuer follow its status.
const READ_AGAIN: Wake = Wake::After(Duration::from_mins(1));
/// Longest common name (RFC 5280 appendix A.1, `ub-common-name`).
const COMMON_NAME_MAX: usize = 64;

/// What is wanted of an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Desired {
    /// A root that the operator makes and keeps.
    LocalCa {
        /// Name of the issuer.
        name: String,
        /// Identity of the home, which tells roots of one name apart; names neither host nor user.
        home: String,
        /// What it may sign.
        constraints: Constraints,
    },
    /// The user's own chain and key.
    Provided {
        /// Name of the secret that holds them.
        secret: String,
    },
}

/// What there is of an issuer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// The stored root ([`check_root`]) or the user's leaf ([`check_provided`] without names: what
    /// they must cover is for the groups to say), as far as it is there.
    ///
    /// [`check_root`]: crate::core::certificate::check_root
    /// [`check_provided`]: crate::core::certificate::check_provided
    pub certificate: Option<Result<LeafFacts, CheckFailed>>,
    /// Container groups that refer to the issuer.
    pub used_by: Vec<String>,
}

/// The one write of an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Make a root and store it.
    CreateRoot(RootRequest),
}

/// An issuer's next pass needs to know nothing of this one: the root tells all.
pub type Memory = ();

/// Decides the next step of an issuer.
///
/// A root, once made, is never made anew here: leaves and people trust it. Its key goes away when
/// the ledger releases the issuer.
pub fn plan(goal: Goal<&Desired>, observed: &Observed, now: DateTime<Utc>) -> Plan<Step, Memory> {
    match goal {
        Goal::Absent => absent(&observed.used_by),
        Goal::Present(Desired::Provided { secret }) => {
            Plan { wake: READ_AGAIN, ..provided(secret, observed) }
        }
        Goal::Present(Desired::LocalCa { name, home, constraints }) => {
            local_ca(name, home, constraints, observed, now)
        }
    }
}

fn provided(secret: &str, observed: &Observed) -> Plan<Step, Memory> {
    match &observed.certificate {
        None => {
            let message = format!(
                "the secret `{secret}` is not there, or lacks the key `tls.crt` or `tls.key`"
            );
            say(Health::Reconciling, Reason::ReferenceMissing, message)
        }
        Some(certificate) => available(certificate),
    }
}

fn local_ca(
    name: &str,
    home: &str,
    constraints: &Constraints,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Plan<Step, Memory> {
    match &observed.certificate {
        None => {
            let request = RootRequest {
                common_name: common_name(name, home),
                constraints: constraints.clone(),
                now,
                life: ROOT_LIFE,
            };
            let step = Some(Step::CreateRoot(request));
            let wake = Wake::After(Duration::ZERO);
            Plan { step, wake, ..say(Health::Reconciling, Reason::Creating, "making the root") }
        }
        Some(Ok(root)) if !root.constraints.same_as(constraints) => {
            say(Health::Stalled, Reason::RootMustBeReplaced, other_constraints(&root.constraints))
        }
        Some(certificate) => available(certificate),
    }
}

fn available(certificate: &Result<LeafFacts, CheckFailed>) -> Plan<Step, Memory> {
    match certificate {
        Err(failed) => say(Health::Stalled, Reason::BadCertificate, failed.to_string()),
        Ok(facts) => {
            let until = facts.not_after.format("%F");
            let message = format!("{}, valid until {until}", facts.subject);
            say(Health::Ready, Reason::Available, message)
        }
    }
}

fn absent(used_by: &[String]) -> Plan<Step, Memory> {
    let plan = if used_by.is_empty() {
        say(Health::Gone, Reason::Deleted, "gone")
    } else {
        let users = used_by.join(", ");
        let message = format!("waits until no container group refers to it: {users}");
        say(Health::Reconciling, Reason::Deleting, message)
    };
    Plan { conditions: Vec::new(), ..plan }
}

fn say(health: Health, reason: Reason, message: impl Into<String>) -> Plan<Step, Memory> {
    let message = message.into();
    let ready = health == Health::Ready;
    let condition =
        Assertion::new(ConditionType::CertificateReady, ready, reason, message.as_str());
    Plan {
        step: None,
        health,
        reason,
        message,
        conditions: vec![condition],
        memory: (),
        made: ready,
        wake: LOOK_AGAIN,
    }
}

fn other_constraints(found: &Constraints) -> String {
    let domains = match found.permitted_domains.as_slice() {
        [] => "any domain".to_owned(),
        domains => domains.join(", "),
    };
    let addresses = if found.ip_addresses { "any address" } else { "loopback addresses only" };
    format!(
        "the root permits {domains} and {addresses}, fixed for its life: put that back into \
         `spec.localCA`, or name a new issuer in `spec.tls.issuerRef` of the groups and trust its \
         root"
    )
}

/// `aci-operator NAME (HOME)`, the name shortened to fit.
fn common_name(name: &str, home: &str) -> String {
    let home: String = home.chars().take(8).collect();
    let room = COMMON_NAME_MAX.saturating_sub("aci-operator  ()".len() + home.len());
    let name: String = name.chars().take(room).collect();
    format!("aci-operator {name} ({home})")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::core::certificate::{Check, Names};

    fn constraints(domains: &[&str], ip_addresses: bool) -> Constraints {
        let permitted_domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        Constraints { permitted_domains, ip_addresses }
    }

    fn local(wanted: Constraints) -> Desired {
        let (name, home) = ("local-ca".to_owned(), "0b51c0de-1f".to_owned());
        Desired::LocalCa { name, home, constraints: wanted }
    }

    fn own() -> Desired {
        Desired::Provided { secret: "own".to_owned() }
    }

    fn found(constraints: Constraints) -> Observed {
        let now = DateTime::UNIX_EPOCH;
        let root = LeafFacts {
            serial: "1".to_owned(),
            fingerprint: String::new(),
            names: Names::default(),
            not_before: now,
            not_after: now + TimeDelta::days(1),
            algorithm: None,
            subject: "CN=x".to_owned(),
            issuer: "CN=x".to_owned(),
            is_ca: true,
            authority_key: None,
            subject_key: None,
            constraints,
        };
        Observed { certificate: Some(Ok(root)), used_by: Vec::new() }
    }

    #[track_caller]
    fn check(goal: Goal<&Desired>, observed: &Observed, want: (Health, Reason, &str)) {
        let plan = plan(goal, observed, DateTime::UNIX_EPOCH);
        assert_eq!((plan.health, plan.reason), (want.0, want.1));
        assert!(plan.message.contains(want.2), "{}", plan.message);
        assert_eq!(plan.step.is_some(), want.1 == Reason::Creating);
    }

    #[test]
    fn a_root_is_made_once() {
        let goal = local(constraints(&["a.b"], true));
        check(
            Goal::Present(&goal),
            &Observed::default(),
            (Health::Reconciling, Reason::Creating, "root"),
        );
        let Some(Step::CreateRoot(request)) =
            plan(Goal::Present(&goal), &Observed::default(), DateTime::UNIX_EPOCH).step
        else {
            panic!("no root")
        };
        assert_eq!(request.common_name, "aci-operator local-ca (0b51c0de)");
        assert_eq!(request.constraints, constraints(&["a.b"], true));
        let same = found(constraints(&["localhost", "A.b"], true));
        check(
            Goal::Present(&goal),
            &same,
            (Health::Ready, Reason::Available, "valid until 1970-01-02"),
        );
    }

    #[test]
    fn other_constraints_leave_the_root_alone() {
        let stalled = |part| (Health::Stalled, Reason::RootMustBeReplaced, part);
        let old = found(constraints(&["a.b"], true));
        check(
            Goal::Present(&local(constraints(&["a.b", "c.d"], true))),
            &old,
            stalled("permits a.b and any"),
        );
        check(Goal::Present(&local(constraints(&["a.b"], false))), &old, stalled("put that back"));
        check(Goal::Present(&local(constraints(&[], true))), &old, stalled("new issuer"));
        let free = found(constraints(&[], false));
        check(
            Goal::Present(&local(constraints(&["a.b"], false))),
            &free,
            stalled("any domain and loopback"),
        );
    }

    #[test]
    fn a_bad_certificate_names_its_check() {
        let failed = CheckFailed { check: Check::KeyMatches, message: "other key".to_owned() };
        let bad = Observed { certificate: Some(Err(failed)), used_by: Vec::new() };
        let want = (Health::Stalled, Reason::BadCertificate, "KeyMatches: other key");
        check(Goal::Present(&own()), &bad, want);
        check(Goal::Present(&local(constraints(&[], true))), &bad, want);
    }

    #[test]
    fn a_provided_pair_is_waited_for() {
        let missing = (Health::Reconciling, Reason::ReferenceMissing, "`own`");
        check(Goal::Present(&own()), &Observed::default(), missing);
        let there = found(Constraints::default());
        check(Goal::Present(&own()), &there, (Health::Ready, Reason::Available, "CN=x"));
        for observed in [Observed::default(), there] {
            let plan = plan(Goal::Present(&own()), &observed, DateTime::UNIX_EPOCH);
            assert_eq!(plan.wake, READ_AGAIN, "nobody tells that it was replaced");
        }
    }

    #[test]
    fn an_issuer_in_use_stays() {
        let used = Observed { used_by: vec!["web".to_owned()], ..Observed::default() };
        check(Goal::Absent, &used, (Health::Reconciling, Reason::Deleting, "web"));
        check(Goal::Absent, &Observed::default(), (Health::Gone, Reason::Deleted, "gone"));
    }

    #[test]
    fn a_common_name_fits() {
        assert_eq!(common_name(&"x".repeat(253), "0b51c0de-1f").len(), COMMON_NAME_MAX);
    }
}
