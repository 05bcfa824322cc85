//! The device code flow: a code that the user types elsewhere.
//!
//! Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::{Ledger, Platform, SignIn, name};
use super::refused::{self, Refused};

/// Life of a device code.
pub(super) const LIFE: TimeDelta = TimeDelta::minutes(15);
/// Letters that are hard to confuse.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
const LENGTH: usize = 9;

/// One device that waits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Device {
    pub(super) user_code: String,
    pub(super) client: Uuid,
    pub(super) scope: String,
    state: State,
    ends: DateTime<Utc>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum State {
    Pending,
    Approved(Uuid),
    Declined,
}

/// What a user types, drawn from `random`.
pub(super) fn user_code(random: &str) -> String {
    let hex = name(random);
    let letters = hex.as_bytes().chunks(2).take(LENGTH).map(|pair| {
        let number = pair.iter().fold(0, |sum, digit| sum * 31 + usize::from(*digit));
        char::from(LETTERS[number % LETTERS.len()])
    });
    letters.collect()
}

impl Ledger {
    /// Notes that `secret` is a device code of `client` at `now`.
    pub(super) fn give_device(
        &mut self,
        now: DateTime<Utc>,
        secret: &str,
        (client, scope): (Uuid, &str),
    ) -> String {
        self.devices.retain(|_, known| now < known.ends + LIFE);
        let user_code = user_code(secret);
        let device = Device {
            user_code: user_code.clone(),
            client,
            scope: scope.to_owned(),
            state: State::Pending,
            ends: now + LIFE,
        };
        self.devices.insert(name(secret), device);
        user_code
    }

    /// The device that waits with this user code.
    pub(super) fn waiting(&mut self, now: DateTime<Utc>, user_code: &str) -> Option<&mut Device> {
        let typed = user_code.trim().to_uppercase();
        let mut waiting = self.devices.values_mut();
        waiting.find(|one| one.user_code == typed && one.state == State::Pending && now < one.ends)
    }

    /// The sign-in that the device code `secret` stands for, once it is approved.
    pub(super) fn poll(
        &mut self,
        now: DateTime<Utc>,
        secret: &str,
        client: Uuid,
    ) -> Result<SignIn, Refused> {
        let key = name(secret);
        let known = self.devices.get(&key).filter(|known| known.client == client);
        let known = known.ok_or_else(refused::device_code)?;
        if known.ends <= now {
            return Err(refused::device_expired());
        }
        let user = match known.state {
            State::Pending => return Err(refused::pending()),
            State::Declined => return Err(refused::device_declined()),
            State::Approved(user) => user,
        };
        let scope = known.scope.clone();
        self.devices.remove(&key);
        Ok(SignIn { client, user, scope, nonce: None, platform: Platform::Public })
    }
}

impl Device {
    /// Lets the device have what it asked for, for `user`.
    pub(super) fn approve(&mut self, user: Uuid) {
        self.state = State::Approved(user);
    }

    /// Lets it have nothing.
    pub(super) fn decline(&mut self) {
        self.state = State::Declined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_device_waits_for_its_user() {
        let (client, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut ledger = Ledger::default();
        let typed = ledger.give_device(at(0), "one", (client, "openid"));
        assert_eq!(typed.len(), 9);
        let number = |outcome: Result<SignIn, Refused>| outcome.unwrap_err().number;
        assert_eq!(number(ledger.poll(at(1), "one", client)), 70_016);
        assert_eq!(number(ledger.poll(at(1), "two", client)), 70_018);
        assert_eq!(number(ledger.poll(at(1), "one", user)), 70_018);
        assert!(ledger.waiting(at(1), "WRONG").is_none());
        ledger.waiting(at(1), &format!(" {} ", typed.to_lowercase())).unwrap().approve(user);
        assert!(ledger.waiting(at(1), &typed).is_none());
        let sign_in = ledger.poll(at(2), "one", client).unwrap();
        assert_eq!((sign_in.user, sign_in.scope.as_str()), (user, "openid"));
        assert_eq!(number(ledger.poll(at(3), "one", client)), 70_018);

        let typed = ledger.give_device(at(0), "two", (client, "openid"));
        ledger.waiting(at(1), &typed).unwrap().decline();
        let declined = ledger.poll(at(2), "two", client).unwrap_err();
        assert_eq!(declined.error, "authorization_declined");
        let typed = ledger.give_device(at(0), "three", (client, "openid"));
        assert!(ledger.waiting(at(900), &typed).is_none());
        assert_eq!(ledger.poll(at(900), "three", client).unwrap_err().error, "expired_token");
    }
}
