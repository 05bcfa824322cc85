//! What to do about a mistake in a manifest.

use super::app_registration::GUID;
use super::parse::child;
use crate::core::Invalid;

/// The candidate that is spelled most like `text`, if one is near.
pub(super) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let simple = |s: &str| s.replace(['-', '_', ' '], "").to_lowercase();
    let text = simple(text);
    let scored = candidates.into_iter().map(|c| (strsim::jaro_winkler(&text, &simple(c)), c));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.84).map(|(_, candidate)| candidate)
}

/// The question, where there is something to ask.
pub(super) fn did_you_mean(candidate: Option<&str>) -> String {
    candidate.map_or_else(String::new, |c| format!("; did you mean `{c}`?"))
}

/// The problem of a field that does not exist.
pub(super) fn unknown<'a>(
    parent: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Invalid {
    let remedy = match foreign(name) {
        Some(advice) => format!("; {advice}"),
        None => did_you_mean(nearest(name, known)),
    };
    Invalid::new(child(parent, name), format!("unknown field `{name}`{remedy}"))
}

/// Fields of ACI's YAML that are written in another way here.
fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "acme" => "`acme` is not supported yet: use `localCA` or `provided`",
        "secureValue" => {
            "no manifest holds a secret: store it with `aci-operator secret set NAME KEY` and write \
             `secureValueFrom: {secret: {name: NAME, key: KEY}}`"
        }
        "password" => {
            "no manifest holds a secret: store it with `aci-operator secret set NAME KEY` and write \
             `passwordFrom: {secret: {name: NAME, key: KEY}}`"
        }
        "properties" => "there is no `properties` level here: write its fields one level up",
        "api-version" => {
            "it is not needed: `apiVersion: aci-operator.io/v1alpha1` stands at the top"
        }
        "type" => "it is not needed: write `kind: ContainerGroup`",
        "secretReference"
        | "azureFile"
        | "gitRepo"
        | "initContainers"
        | "identity"
        | "subnetIds"
        | "dnsConfig"
        | "diagnostics"
        | "zones"
        | "sku"
        | "priority"
        | "extensions"
        | "encryptionProperties" => "it is not supported yet",
        _ => return None,
    })
}

/// What a pattern of the schema means.
pub(super) fn pattern(pattern: &str) -> String {
    match pattern {
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" => {
            "must be lower-case letters, digits and hyphens, with no hyphen at either end"
                .to_owned()
        }
        "^[a-z][-a-z0-9]*[a-z0-9]$" => "must be lower-case letters, digits and hyphens, begin \
             with a letter and not end with a hyphen"
            .to_owned(),
        r"^[A-Za-z0-9_][-\w.:/]*$" => {
            "must be letters, digits and `-_.:/`, and begin with a letter or digit".to_owned()
        }
        GUID => {
            "must be an application id, such as 00000000-0000-0000-0000-000000000000".to_owned()
        }
        "^/[^:]*$" => "must be an absolute path without `:`".to_owned(),
        "^[^/]+$" => "must be a host name, without scheme and path".to_owned(),
        r"^[-\w._()]*[-\w_()]$" => {
            "must be letters, digits and `-_.()`, and not end with a full stop".to_owned()
        }
        other => format!("must match `{other}`"),
    }
}
