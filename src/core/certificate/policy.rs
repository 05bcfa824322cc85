//! Why a leaf must be replaced: a chain of checks, the first violation wins.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};

use super::{KeyAlgorithm, LeafFacts, Names, Pair, Unreadable, key_matches};

/// The leaf that is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Names that it must carry, exactly.
    pub names: Names,
    /// Key identifier of the issuer's present certificate.
    pub issuer_key: Option<String>,
    /// Algorithm of its key.
    pub algorithm: KeyAlgorithm,
    /// Its life.
    pub life: Duration,
    /// Identity of the object, which spreads renewals.
    pub uid: String,
    /// Leaves issued before this time are due (`renew`).
    pub renew_requested: Option<DateTime<Utc>>,
}

/// The stored leaf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// Its facts.
    pub leaf: LeafFacts,
    /// Whether the stored key belongs to it.
    pub key_matches: bool,
    /// When it was issued.
    pub issued: DateTime<Utc>,
}

impl Observed {
    /// What the pair is.
    ///
    /// # Errors
    /// A chain or a key that cannot be read.
    pub fn of(pair: &Pair) -> Result<Self, Unreadable> {
        let leaf = LeafFacts::from_pem(&pair.chain_pem)?.swap_remove(0);
        let issued = DateTime::from_timestamp(pair.generation, 0).unwrap_or(leaf.not_before);
        let key_matches = key_matches(pair)?;
        Ok(Self { leaf, key_matches, issued })
    }
}

/// Why a leaf must be replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// For people.
    pub message: String,
    /// The old leaf can still serve: its replacement can wait for a better moment.
    pub usable: bool,
}

/// One check.
pub type Policy = fn(&Desired, &Observed, DateTime<Utc>) -> Option<Violation>;

/// The checks, in order. A later one may rely on what an earlier one has made sure.
const POLICIES: &[Policy] =
    &[key_mismatch, other_issuer, expired, names_differ, other_algorithm, requested, due];

/// Why the stored leaf must be replaced; `None` where it is as wanted.
pub fn violation(
    desired: &Desired,
    observed: Option<&Observed>,
    now: DateTime<Utc>,
) -> Option<Violation> {
    let Some(observed) = observed else { return broken("there is no leaf yet") };
    POLICIES.iter().find_map(|policy| policy(desired, observed, now))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a policy's answer")]
fn broken(message: impl Into<String>) -> Option<Violation> {
    Some(Violation { message: message.into(), usable: false })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a policy's answer")]
fn outdated(message: impl Into<String>) -> Option<Violation> {
    Some(Violation { message: message.into(), usable: true })
}

fn key_mismatch(_: &Desired, observed: &Observed, _: DateTime<Utc>) -> Option<Violation> {
    if observed.key_matches { None } else { broken("the stored key does not belong to the leaf") }
}

fn other_issuer(desired: &Desired, observed: &Observed, _: DateTime<Utc>) -> Option<Violation> {
    match (&desired.issuer_key, &observed.leaf.authority_key) {
        (Some(wanted), Some(found)) if wanted != found => outdated("another root signed the leaf"),
        _ => None,
    }
}

fn expired(_: &Desired, observed: &Observed, now: DateTime<Utc>) -> Option<Violation> {
    if now < observed.leaf.not_after { None } else { broken("the leaf has expired") }
}

fn names_differ(desired: &Desired, observed: &Observed, _: DateTime<Utc>) -> Option<Violation> {
    if desired.names == observed.leaf.names {
        return None;
    }
    outdated(format!("the leaf names {}, wanted are {}", observed.leaf.names, desired.names))
}

fn other_algorithm(desired: &Desired, observed: &Observed, _: DateTime<Utc>) -> Option<Violation> {
    match observed.leaf.algorithm {
        Some(found) if found != desired.algorithm => outdated("another key algorithm is wanted"),
        _ => None,
    }
}

fn requested(desired: &Desired, observed: &Observed, _: DateTime<Utc>) -> Option<Violation> {
    // The time of issue has whole seconds: a request of that very second is met by it.
    match desired.renew_requested {
        Some(at) if observed.issued.timestamp() < at.timestamp() => {
            outdated("a renewal was asked for")
        }
        _ => None,
    }
}

fn due(desired: &Desired, observed: &Observed, now: DateTime<Utc>) -> Option<Violation> {
    let at = renewal_time(observed.leaf.not_before, observed.leaf.not_after, &desired.uid);
    if now < at { None } else { outdated("the leaf is due for renewal") }
}

/// Lives below this are renewed at their half.
const SHORT_LIFE: TimeDelta = TimeDelta::days(10);

/// When a leaf is renewed: at 2/3 of its life (at 1/2 of a short one), minus up to 1/20 of it, spread
/// by the object's identity, so that leaves issued together are not renewed together. In whole seconds.
pub fn renewal_time(
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    uid: &str,
) -> DateTime<Utc> {
    let life = not_after - not_before;
    let base = if life < SHORT_LIFE { life / 2 } else { life / 3 * 2 };
    let hash = digest(&SHA256, uid.as_bytes());
    let spread = hash.as_ref().iter().take(2).fold(0, |sum, byte| sum * 256 + i32::from(*byte));
    let at = not_before + base - life / 20 * spread / 65_536;
    // In whole seconds, as a certificate's own times are.
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::issuer::Constraints;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn names(dns: &[&str]) -> Names {
        Names { dns: dns.iter().map(|&s| s.to_owned()).collect(), ..Names::default() }
    }

    fn desired() -> Desired {
        Desired {
            names: names(&["a.b"]),
            issuer_key: Some("01".to_owned()),
            algorithm: KeyAlgorithm::EcdsaP256,
            life: Duration::from_hours(90 * 24),
            uid: "0b51".to_owned(),
            renew_requested: None,
        }
    }

    fn observed() -> Observed {
        Observed {
            leaf: LeafFacts {
                serial: "1".to_owned(),
                fingerprint: String::new(),
                names: names(&["a.b"]),
                not_before: at(0),
                not_after: at(90),
                algorithm: Some(KeyAlgorithm::EcdsaP256),
                subject: String::new(),
                issuer: String::new(),
                is_ca: false,
                authority_key: Some("01".to_owned()),
                subject_key: None,
                constraints: Constraints::default(),
            },
            key_matches: true,
            issued: at(0),
        }
    }

    #[track_caller]
    fn check(
        day: i64,
        change: impl FnOnce(&mut Desired, &mut Observed),
        want: Option<(&str, bool)>,
    ) {
        let (mut desired, mut observed) = (desired(), observed());
        change(&mut desired, &mut observed);
        let found = violation(&desired, Some(&observed), at(day));
        let found = found.as_ref().map(|v| (v.message.as_str(), v.usable));
        match (found, want) {
            (None, None) => {}
            (Some((text, usable)), Some((part, want))) => {
                assert!(text.contains(part), "{text}");
                assert_eq!(usable, want, "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_violation_wins() {
        check(1, |_, _| {}, None);
        check(1, |_, o| o.key_matches = false, Some(("key", false)));
        check(1, |_, o| o.leaf.authority_key = Some("02".to_owned()), Some(("another root", true)));
        check(91, |d, _| d.names = names(&["c.d"]), Some(("expired", false)));
        check(1, |d, _| d.names = names(&["c.d"]), Some(("wanted are c.d", true)));
        check(1, |d, _| d.algorithm = KeyAlgorithm::Rsa2048, Some(("algorithm", true)));
        check(2, |d, _| d.renew_requested = Some(at(1)), Some(("asked", true)));
        let asked = at(1) + TimeDelta::milliseconds(900);
        check(2, |d, o| (d.renew_requested, o.issued) = (Some(asked), at(1)), None);
        check(55, |_, _| {}, None);
        check(60, |_, _| {}, Some(("due", true)));
        assert!(!violation(&desired(), None, at(0)).unwrap().usable);
    }

    proptest::proptest! {
        #[test]
        fn renewal_lies_between_a_third_and_two_thirds(minutes in 10i64..1_000_000, uid in "[0-9a-f]{8}") {
            let life = TimeDelta::minutes(minutes);
            let at = renewal_time(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + life, &uid);
            let after = at - DateTime::UNIX_EPOCH;
            let base = if life < SHORT_LIFE { life / 2 } else { life / 3 * 2 };
            proptest::prop_assert!(after <= base && after >= base - life / 20, "{after}");
        }
    }
}
