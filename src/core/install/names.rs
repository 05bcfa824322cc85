//! Names that follow from what was asked for.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use uuid::{Builder, Uuid, uuid};

use super::Wanted;
use crate::core::{Invalid, names};

/// The name space of ARM's template function `guid()`.
const NAMESPACE: Uuid = uuid!("11fb06fb-712d-4ddd-98c7-e71bbd588830");
/// Hexadecimal digits in the name of the account: unlikely to be somebody else's, short enough.
const DIGITS: usize = 16;

/// What ARM's template function `guid()` gives, so that a template that makes the same thing gives it the
/// same name: a name-based UUID (RFC 9562 section 5.5) of the texts with `-` between.
/// <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string#guid>
pub fn guid(texts: &[&str]) -> String {
    let mut named = NAMESPACE.as_bytes().to_vec();
    named.extend(texts.join("-").as_bytes());
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &named);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid().to_string()
}

/// The name of the storage account where none is given: names of accounts are unique in the whole cloud.
pub fn account_name(resource_group_id: &str, name: &str) -> String {
    let digits = guid(&[resource_group_id, name, "account"]).replace('-', "");
    format!("aciop{}", &digits[..DIGITS])
}

/// Whether the names can be had.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
///
/// # Errors
/// One cannot, or a right would be given too widely.
pub fn check(wanted: &Wanted) -> Result<(), Invalid> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let name = &wanted.name;
    let inner = name.chars().all(|c| plain(c) || c == '-') && !name.contains("--");
    if !inner || !(3..=50).contains(&name.len()) || name.starts_with('-') || name.ends_with('-') {
        let problem = "3 to 50 lower-case letters, digits and single hyphens, none at either end";
        return Err(Invalid::new("--name", problem));
    }
    if !(3..=24).contains(&wanted.account.len()) || !wanted.account.chars().all(plain) {
        let problem = "3 to 24 lower-case letters and digits";
        return Err(Invalid::new("--storage-account", problem));
    }
    if wanted.manage.is_empty() {
        let problem = "name at least one resource group in which container groups may be made";
        return Err(Invalid::new("--manage", problem));
    }
    if wanted.manage.iter().any(|group| super::same(group, &wanted.resource_group)) {
        // Who may write container groups may run what it likes as the identities that they carry.
        let problem = "is the installation's own resource group: give the operator another one, or it \
                       could replace itself";
        return Err(Invalid::new("--manage", problem));
    }
    for id in &wanted.identities {
        if !names::is_identity_id(&format!("/{}", id.trim_start_matches('/'))) {
            let problem =
                format!("{id:?} is no id of a managed identity: `az identity show` tells it");
            return Err(Invalid::new("--identity", problem));
        }
    }
    for (people, option) in [(&wanted.readers, "--reader"), (&wanted.writers, "--writer")] {
        if let Some(bad) = people.iter().find(|id| id.parse::<Uuid>().is_err()) {
            let problem = format!("{bad:?} is no object id: `az ad user show` tells it");
            return Err(Invalid::new(option, problem));
        }
    }
    Ok(())
}
