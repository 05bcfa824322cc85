//! Who may do what with blobs: a bearer token and its rights, or an account key.

use axum::http::header;
use axum::http::request::Parts;

use super::Storage;
use super::answer::Refused;
use super::operation::Asked;
use super::shared_key::AccountKey;
use crate::emulator::installation::same_secret;
use crate::emulator::model::{AccountFacts, Right};

impl Storage {
    /// Whether the request may be served at all.
    pub(super) fn authorize(&self, parts: &Parts, asked: &Asked) -> Result<(), Refused> {
        let facts = self.world.look(|azure, _| azure.account_facts(&asked.account));
        let facts = facts.ok_or_else(Refused::no_account)?;
        if !facts.public {
            return Err(Refused::closed());
        }
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, credential) = given
            .and_then(|value| value.split_once(' '))
            .ok_or_else(|| Refused::no_authorization(&self.entra.authority()))?;
        if scheme.eq_ignore_ascii_case("Bearer") {
            return self.check_token(credential.trim(), asked, &facts);
        }
        if !facts.shared_key {
            return Err(Refused::no_keys());
        }
        self.check_signature(given.unwrap_or_default(), parts, asked)
    }

    fn check_token(&self, token: &str, asked: &Asked, facts: &AccountFacts) -> Result<(), Refused> {
        let checked = self.entra.check_storage(token, &asked.account);
        let caller =
            checked.map_err(|refusal| Refused::token(&refusal, &self.entra.authority()))?;
        let scope = asked.scope(&facts.id);
        let actions = asked.actions();
        let kind = if asked.is_data() { Right::Data } else { Right::Action };
        let rights: Vec<Right<'_>> = actions.iter().map(|action| kind(action)).collect();
        let may = self.world.may_any(&caller, &rights, &scope);
        if may { Ok(()) } else { Err(Refused::no_right()) }
    }

    /// An account key is good for everything in its account.
    fn check_signature(&self, given: &str, parts: &Parts, asked: &Asked) -> Result<(), Refused> {
        let signed = (&parts.method, &parts.uri);
        let good = ["key1", "key2"].iter().any(|name| {
            let key = AccountKey::derive(&self.secret, &asked.account, name);
            same_secret(given, &key.authorization(&asked.account, signed, &parts.headers))
        });
        if good { Ok(()) } else { Err(Refused::bad_signature()) }
    }
}
