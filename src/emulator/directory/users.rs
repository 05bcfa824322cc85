//! The test users, and `/users`, which shows those of this tenant and changes none.
//!
//! Source: learn.microsoft.com/graph/api/resources/user; a guest's name is
//! learn.microsoft.com/entra/external-id/user-properties.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Reply;
use super::error::Error;
use super::route::Key;
use super::{Context, Directory, DirectorySettings, derived};

/// The tenant's verified domain.
pub(super) const DOMAIN: &str = "example.com";
/// The domain that guests and strangers come from.
const ELSEWHERE: &str = "example.org";

/// One who may try to sign in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Object id in this tenant, or in its own where it has none here.
    pub id: Uuid,
    /// Name for people.
    pub display_name: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub surname: String,
    /// Name to sign in with.
    pub user_principal_name: String,
    /// Address.
    pub mail: String,
    /// Member or guest; none where this tenant does not know the user.
    pub user_type: Option<UserType>,
    /// Language of the texts that they see, such as `fr`.
    pub preferred_language: String,
    /// The tenant where they have their account.
    #[serde(skip)]
    pub home_tenant: Uuid,
    /// Whether they may consent for themselves; else an administrator must.
    #[serde(skip)]
    pub may_consent: bool,
}

/// What a user is to the tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum UserType {
    /// Of this tenant.
    Member,
    /// Invited from another.
    Guest,
}

/// Marie and Nora of this tenant, Gustav its guest, and Olga, whom it does not know.
pub(super) fn of_tenant(settings: &DirectorySettings) -> Vec<User> {
    let elsewhere = derived(&settings.seed, "tenant/elsewhere");
    let user = |first: &str, last: &str, kind: Option<UserType>, language: &str| {
        let handle = first.to_lowercase();
        let home = kind == Some(UserType::Member);
        let mail = format!("{handle}@{}", if home { DOMAIN } else { ELSEWHERE });
        let user_principal_name = match kind {
            Some(UserType::Guest) => format!("{handle}_{ELSEWHERE}#EXT#@{DOMAIN}"),
            _ => mail.clone(),
        };
        User {
            id: derived(&settings.seed, &format!("user/{handle}")),
            display_name: format!("{first} {last}"),
            given_name: first.to_owned(),
            surname: last.to_owned(),
            user_principal_name,
            mail,
            user_type: kind,
            preferred_language: language.to_owned(),
            home_tenant: if home { settings.tenant } else { elsewhere },
            may_consent: true,
        }
    };
    let nora = user("Nora", "Nilsson", Some(UserType::Member), "en");
    vec![
        user("Marie", "Martin", Some(UserType::Member), "fr"),
        User { may_consent: false, ..nora },
        user("Gustav", "Gast", Some(UserType::Guest), "en"),
        user("Olga", "Other", None, "en"),
    ]
}

impl User {
    pub(super) fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        shown["accountEnabled"] = json!(true);
        for name in ["businessPhones", "jobTitle", "mobilePhone", "officeLocation"] {
            shown[name] = if name == "businessPhones" { json!([]) } else { Value::Null };
        }
        shown
    }
}

impl Directory {
    pub(super) fn on_users(
        &mut self,
        context: &Context,
        method: &str,
        key: Option<&Key>,
        words: &[&str],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let Some(key) = key else {
            let known = self.users.iter().filter(|user| user.user_type.is_some());
            let mut objects: Vec<Value> = known.map(User::shown).collect();
            objects.sort_by_key(|user| user["id"].to_string());
            return match method {
                "GET" => self.page(context, "users", "user", objects),
                _ => Err(Error::method()),
            };
        };
        let (Key::Id(given) | Key::Alternate(_, given)) = key;
        let user = self.known_user(given).ok_or_else(|| Error::not_found(given))?;
        let (id, shown) = (user.id.to_string(), user.shown());
        match (method, words) {
            ("GET", []) => Ok(Reply::ok(self.one(context, "users", "user", shown)?)),
            (_, ["approleassignments"]) => {
                self.on_assignments(context, method, &id, "approleassignments", None, body)
            }
            ("GET", ["oauth2permissiongrants"]) => self.list_grants_of(context, &id),
            (_, [] | ["oauth2permissiongrants"]) => Err(Error::method()),
            (_, [other, ..]) => Err(Error::segment(other)),
        }
    }

    /// A user of this tenant by object id or name.
    pub(super) fn known_user(&self, name: &str) -> Option<&User> {
        self.users.iter().filter(|user| user.user_type.is_some()).find(|user| {
            super::is_id(name, user.id) || user.user_principal_name.eq_ignore_ascii_case(name)
        })
    }
}
