//! Codes and refresh tokens that are out. Pure: time and secrets come in; secrets are kept as digests.
//!
//! Lifetimes: learn.microsoft.com/entra/identity-platform/{v2-oauth2-auth-code-flow,refresh-tokens,
//! v2-oauth2-device-code}.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::device::Device;
use super::refused::{self, Refused};

/// Life of a code.
const CODE: TimeDelta = TimeDelta::minutes(10);
/// Life of a refresh token, which begins anew with each use.
const REFRESH: TimeDelta = TimeDelta::days(90);
/// Life of a single-page application's refresh token, from the sign-in.
const SPA_REFRESH: TimeDelta = TimeDelta::hours(24);

/// Everything that is out.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Ledger {
    codes: BTreeMap<String, Given>,
    refresh: BTreeMap<String, Refresh>,
    pub(super) devices: BTreeMap<String, Device>,
}

/// One user's sign-in to one client.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct SignIn {
    /// The client's `appId`.
    pub(super) client: Uuid,
    /// The user's object id.
    pub(super) user: Uuid,
    /// What was asked for.
    pub(super) scope: String,
    /// For the ID token.
    pub(super) nonce: Option<String>,
    /// Of which kind the client is, by its redirect URI.
    pub(super) platform: Platform,
}

/// The kinds of clients: learn.microsoft.com/entra/identity-platform/reply-url.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Platform {
    /// Keeps a secret.
    Web,
    /// Runs in a browser.
    Spa,
    /// Runs on a device.
    Public,
}

/// What a code stands for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Code {
    pub(super) sign_in: SignIn,
    pub(super) redirect: String,
    /// Base64url of the verifier's SHA-256 (RFC 7636).
    pub(super) challenge: String,
}

#[derive(Deserialize, Serialize)]
struct Given {
    at: DateTime<Utc>,
    redeemed: bool,
    code: Code,
}

#[derive(Deserialize, Serialize)]
struct Refresh {
    sign_in: SignIn,
    ends: DateTime<Utc>,
}

/// How a code or refresh token comes back.
pub(super) struct Redemption<'a> {
    pub(super) client: Uuid,
    pub(super) redirect: &'a str,
    pub(super) verifier: &'a str,
    /// Whether the request has an `Origin`.
    pub(super) cross_origin: bool,
    /// Whether the client proved itself.
    pub(super) proven: bool,
}

impl Platform {
    /// Browsers redeem their own tokens, and no one else's; who can keep a secret shows it.
    fn check(self, by: &Redemption<'_>) -> Result<(), Refused> {
        match (self, by.cross_origin, by.proven) {
            (Self::Spa, false, _) => Err(refused::only_cross_origin()),
            (Self::Web | Self::Public, true, _) => Err(refused::not_cross_origin()),
            (Self::Spa | Self::Public, _, true) => Err(refused::public_client()),
            (Self::Web, _, false) => Err(refused::no_credential()),
            _ => Ok(()),
        }
    }
}

impl Ledger {
    /// Notes that `secret` is the code for a sign-in at `now`.
    pub(super) fn give_code(&mut self, now: DateTime<Utc>, secret: &str, code: Code) {
        // Kept past their end, so that who comes late learns why.
        self.codes.retain(|_, known| now < known.at + CODE * 6);
        self.codes.insert(name(secret), Given { at: now, redeemed: false, code });
    }

    /// The sign-in that the code `secret` stands for, once. A refusal leaves the code as it was.
    pub(super) fn redeem(
        &mut self,
        now: DateTime<Utc>,
        secret: &str,
        by: &Redemption<'_>,
    ) -> Result<SignIn, Refused> {
        let known = self.codes.get_mut(&name(secret)).ok_or_else(refused::grant)?;
        if known.code.sign_in.client != by.client {
            return Err(refused::grant());
        }
        if known.redeemed {
            return Err(refused::redeemed());
        }
        if known.at + CODE <= now {
            return Err(refused::expired());
        }
        if known.code.redirect != by.redirect {
            return Err(refused::redirect(by.redirect, &by.client.to_string()));
        }
        known.code.sign_in.platform.check(by)?;
        if challenge_of(by.verifier) != known.code.challenge {
            return Err(refused::verifier());
        }
        known.redeemed = true;
        Ok(known.code.sign_in.clone())
    }

    /// Notes that `secret` is a refresh token of a sign-in at `now`.
    pub(super) fn give_refresh(&mut self, now: DateTime<Utc>, secret: &str, sign_in: SignIn) {
        let life = if sign_in.platform == Platform::Spa { SPA_REFRESH } else { REFRESH };
        self.refresh.retain(|_, known| now < known.ends + SPA_REFRESH);
        self.refresh.insert(name(secret), Refresh { sign_in, ends: now + life });
    }

    /// The sign-in that a refresh token stands for. From now on `next` is its refresh token.
    pub(super) fn refresh(
        &mut self,
        now: DateTime<Utc>,
        secret: &str,
        by: &Redemption<'_>,
        next: &str,
    ) -> Result<SignIn, Refused> {
        let old = name(secret);
        let known = self.refresh.get(&old).ok_or_else(refused::grant)?;
        let platform = known.sign_in.platform;
        if known.sign_in.client != by.client {
            return Err(refused::grant());
        }
        if known.ends <= now {
            let spa = platform == Platform::Spa;
            return Err(if spa { refused::spa_expired() } else { refused::expired() });
        }
        platform.check(by)?;
        let mut known = self.refresh.remove(&old).ok_or_else(refused::grant)?;
        if platform != Platform::Spa {
            known.ends = now + REFRESH;
        }
        let sign_in = known.sign_in.clone();
        self.refresh.insert(name(next), known);
        Ok(sign_in)
    }
}

/// Under which name a secret is kept: its digest.
pub(super) fn name(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The S256 challenge of a verifier (RFC 7636, section 4.2).
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// Whether a text can be an S256 challenge.
pub(super) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Uuid = Uuid::from_u128(1);
    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const BACK: &str = "https://a.example/back";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn sign_in(platform: Platform) -> SignIn {
        let scope = "api://a/x offline_access".to_owned();
        SignIn { client: CLIENT, user: Uuid::from_u128(2), scope, nonce: None, platform }
    }

    fn by(platform: Platform) -> Redemption<'static> {
        let (cross_origin, proven) = (platform == Platform::Spa, platform == Platform::Web);
        Redemption { client: CLIENT, redirect: BACK, verifier: VERIFIER, cross_origin, proven }
    }

    fn with_code(platform: Platform) -> Ledger {
        let mut ledger = Ledger::default();
        let challenge = CHALLENGE.to_owned();
        let code = Code { sign_in: sign_in(platform), redirect: BACK.to_owned(), challenge };
        ledger.give_code(at(0), "code", code);
        ledger
    }

    #[test]
    fn a_code_is_good_once_and_for_who_asked() {
        let good = by(Platform::Spa);
        let other = Uuid::from_u128(9);
        for (second, code, by, number) in [
            (1, "other", by(Platform::Spa), 70_000),
            (1, "code", Redemption { client: other, ..by(Platform::Spa) }, 70_000),
            (
                1,
                "code",
                Redemption { redirect: "https://a.example/back/", ..by(Platform::Spa) },
                50_011,
            ),
            (1, "code", Redemption { verifier: "guess", ..by(Platform::Spa) }, 501_481),
            (1, "code", Redemption { verifier: CHALLENGE, ..by(Platform::Spa) }, 501_481),
            (1, "code", Redemption { cross_origin: false, ..by(Platform::Spa) }, 9_002_327),
            (1, "code", Redemption { proven: true, ..by(Platform::Spa) }, 700_025),
            (600, "code", by(Platform::Spa), 70_008),
        ] {
            let mut ledger = with_code(Platform::Spa);
            assert_eq!(ledger.redeem(at(second), code, &by).unwrap_err().number, number);
            assert_eq!(ledger.redeem(at(2), "code", &good), Ok(sign_in(Platform::Spa)));
            assert_eq!(ledger.redeem(at(3), "code", &good).unwrap_err().number, 54_005);
        }
        let mut web = with_code(Platform::Web);
        let crossing = Redemption { cross_origin: true, ..by(Platform::Web) };
        assert_eq!(web.redeem(at(1), "code", &crossing).unwrap_err().number, 9_002_326);
        let unproven = Redemption { proven: false, ..by(Platform::Web) };
        assert_eq!(web.redeem(at(1), "code", &unproven).unwrap_err().number, 7_000_218);
        assert!(web.redeem(at(1), "code", &by(Platform::Web)).is_ok());
    }

    #[test]
    fn refresh_tokens_rotate() {
        for (platform, last) in [(Platform::Spa, Err(700_084)), (Platform::Web, Ok(()))] {
            let mut ledger = Ledger::default();
            ledger.give_refresh(at(0), "one", sign_in(platform));
            let hours = |hours: i64| at(hours * 3600);
            assert!(ledger.refresh(hours(1), "one", &by(platform), "two").is_ok());
            let again = ledger.refresh(hours(1), "one", &by(platform), "three").unwrap_err();
            assert_eq!(again.number, 70_000);
            let other = Redemption { client: Uuid::nil(), ..by(platform) };
            assert!(ledger.refresh(hours(2), "two", &other, "x").is_err());
            assert!(ledger.refresh(hours(23), "two", &by(platform), "three").is_ok());
            let late = ledger.refresh(hours(24), "three", &by(platform), "four");
            assert_eq!(late.map(drop).map_err(|refused| refused.number), last);
        }
        let mut ledger = Ledger::default();
        ledger.give_refresh(at(0), "one", sign_in(Platform::Web));
        let late = ledger.refresh(at(90 * 86_400), "one", &by(Platform::Web), "two");
        assert_eq!(late.unwrap_err().number, 70_008);
    }

    #[test]
    fn no_secret_is_kept() {
        let mut ledger = with_code(Platform::Web);
        ledger.give_refresh(at(0), "hunter2", sign_in(Platform::Web));
        let kept = serde_json::to_string(&ledger).unwrap();
        assert!(!kept.contains("hunter2") && !kept.contains("\"code\":\"code"), "{kept}");
    }

    #[test]
    fn what_can_be_a_challenge() {
        assert!(is_challenge(CHALLENGE));
        for bad in [
            "",
            "short",
            &CHALLENGE[1..],
            &format!("{CHALLENGE}="),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM",
        ] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
