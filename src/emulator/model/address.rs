//! Public addresses and names.

use std::net::Ipv4Addr;

use aws_lc_rs::digest::{SHA256, digest};

use super::group::Group;
use super::settings::Settings;

/// The `serial`th public address of the network: host parts 0.0 and 255.255 stay free.
pub(super) fn nth(settings: &Settings, serial: u16) -> Ipv4Addr {
    let [a, b, _, _] = settings.network.octets();
    let [c, d] = (serial % (u16::MAX - 1) + 1).to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// The group's name in DNS. Every scope but `Unsecure` puts a hash between label and region, of the
/// label and of what the scope says (learn.microsoft.com/azure/container-instances/
/// how-to-reuse-dns-names).
pub(super) fn fqdn(settings: &Settings, group: &Group) -> Option<String> {
    let address = group.properties.ip_address.as_ref()?;
    let label = address.dns_name_label.as_ref()?;
    let scope = address.auto_generated_domain_name_label_scope.as_deref().unwrap_or("Unsecure");
    let resource_group = group.home.to_ascii_lowercase();
    let (tenant, subscription) = (settings.tenant.as_str(), settings.subscription.as_str());
    let parts: &[&str] = match scope.to_ascii_lowercase().as_str() {
        "tenantreuse" => &[tenant],
        "subscriptionreuse" => &[tenant, subscription],
        "resourcegroupreuse" => &[tenant, subscription, &resource_group],
        "noreuse" => &[&group.key],
        _ => return Some(format!("{label}.{}.azurecontainer.io", group.location)),
    };
    let hash = hash_label(label, parts);
    Some(format!("{label}.{hash}.{}.azurecontainer.io", group.location))
}

/// Sixteen letters and digits.
fn hash_label(label: &str, parts: &[&str]) -> String {
    let text = [&[label], parts].concat().join("/");
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = digest(&SHA256, text.as_bytes());
    let letters = hash.as_ref().iter().take(16);
    letters.map(|byte| char::from(alphabet[usize::from(byte % 32)])).collect()
}
