//! What a Secret says of an identity: the variables of Azure's SDKs, as its keys.
//!
//! <https://learn.microsoft.com/dotnet/api/azure.identity.environmentcredential>; the same keys as Azure
//! Service Operator's, <https://azure.github.io/azure-service-operator/guide/authentication/credential-format/>.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Secret;

/// Who signs in, and with what.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Credential {
    /// `AZURE_TENANT_ID`
    pub tenant: String,
    /// `AZURE_CLIENT_ID`: of an application, or of a managed identity.
    pub client: String,
    /// `AZURE_CLIENT_SECRET`; without one, the operator's federated token is shown in the client's name.
    pub secret: Option<Secret>,
    /// `AZURE_SUBSCRIPTION_ID`: subscription of objects that name none.
    pub subscription: Option<String>,
}

/// Why a Secret gives no identity. The text names the key and never its value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// A key is not there, or holds nothing.
    #[error("has no key `{0}`")]
    Missing(&'static str),
    /// A key holds what Azure does not take.
    #[error("has a key `{0}` whose value {1}")]
    Wrong(&'static str, &'static str),
}

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
const SUBSCRIPTION: &str = "AZURE_SUBSCRIPTION_ID";

impl Credential {
    /// Reads the keys of a Secret; an empty one is as good as none.
    ///
    /// # Errors
    /// A key that is needed is missing, or one that is there is wrong.
    pub fn read(keys: &BTreeMap<String, Secret>) -> Result<Self, Unusable> {
        let client_secret = keys.get(CLIENT_SECRET).filter(|text| !text.reveal().is_empty());
        if client_secret.is_some_and(|text| text.reveal().contains(char::is_control)) {
            // `kubectl create secret --from-file` takes the line end with it, and Entra ID only says no.
            return Err(Unusable::Wrong(CLIENT_SECRET, "holds a line end"));
        }
        Ok(Self {
            tenant: guid(keys, TENANT)?.ok_or(Unusable::Missing(TENANT))?,
            client: guid(keys, CLIENT)?.ok_or(Unusable::Missing(CLIENT))?,
            secret: client_secret.cloned(),
            subscription: guid(keys, SUBSCRIPTION)?,
        })
    }

    /// Names the principal: what Azure counts requests against, whatever it signs in with.
    pub fn principal(&self) -> String {
        format!("{}/{}", self.tenant, self.client)
    }
}

/// A GUID in one spelling.
fn guid(keys: &BTreeMap<String, Secret>, key: &'static str) -> Result<Option<String>, Unusable> {
    let Some(text) = keys.get(key).map(|text| text.reveal().trim()).filter(|t| !t.is_empty())
    else {
        return Ok(None);
    };
    let read = Uuid::try_parse(text).map_err(|_| Unusable::Wrong(key, "is no GUID"))?;
    Ok(Some(read.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-4000-8000-00000000000A";

    fn read(keys: &[(&str, &str)]) -> Result<Credential, Unusable> {
        let pair = |(key, text): &(&str, &str)| ((*key).to_owned(), Secret::new(*text));
        Credential::read(&keys.iter().map(pair).collect())
    }

    #[test]
    fn the_key_that_is_wrong_is_named_and_its_value_is_not() {
        let good = [(TENANT, ID), (CLIENT, ID)];
        let with = |key, text| read(&[good[0], good[1], (key, text)]);
        assert_eq!(read(&good[..1]), Err(Unusable::Missing(CLIENT)));
        assert_eq!(read(&good[1..]), Err(Unusable::Missing(TENANT)));
        assert_eq!(with(CLIENT, "  "), Err(Unusable::Missing(CLIENT)));
        for (key, text) in
            [(CLIENT, "hunter2"), (SUBSCRIPTION, "hunter2"), (CLIENT_SECRET, "hunter2\n")]
        {
            let problem = with(key, text).unwrap_err().to_string();
            assert!(problem.contains(key) && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn ids_have_one_spelling_and_empty_is_unset() {
        let keys = [
            (TENANT, ID),
            (CLIENT, "00000000000040008000000000000001\n"),
            (CLIENT_SECRET, ""),
            (SUBSCRIPTION, ""),
        ];
        let credential = read(&keys).unwrap();
        assert_eq!(
            credential.principal(),
            "00000000-0000-4000-8000-00000000000a/00000000-0000-4000-8000-000000000001"
        );
        assert_eq!((credential.secret, credential.subscription), (None, None));
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let credential = read(&[(TENANT, ID), (CLIENT, ID), (CLIENT_SECRET, "hunter2")]).unwrap();
        assert_eq!(credential.secret, Some(Secret::new("hunter2")));
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
