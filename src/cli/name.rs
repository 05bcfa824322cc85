//! Names of objects, as people give them.

use super::print::Failure;
use crate::app::view::{Kind, ObjectKey};

/// What `get` was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Selection {
    /// Kind.
    pub(super) kind: Kind,
    /// Name; all where absent.
    pub(super) name: Option<String>,
}

/// Reads `[KIND] [NAME]`, `KIND/NAME`, `KIND` and `NAME`; without a kind a container group is meant.
pub(super) fn selection(words: &[String]) -> Result<Selection, Failure> {
    let (kind, name) = match words {
        [] => (Kind::ContainerGroup, None),
        [word] => match (word.split_once('/'), word.parse()) {
            (Some((kind, name)), _) => (kind_of(kind)?, Some(name)),
            (None, Ok(kind)) => (kind, None),
            (None, Err(())) => (Kind::ContainerGroup, Some(word.as_str())),
        },
        [kind, name] => (kind_of(kind)?, Some(name.as_str())),
        _ => return Err(Failure::Usage("give KIND and NAME, or one of them".to_owned())),
    };
    match name {
        Some("") => Err(Failure::Usage("the name is empty".to_owned())),
        name => Ok(Selection { kind, name: name.map(str::to_owned) }),
    }
}

/// Reads the name of one object.
pub(super) fn object(words: &[String]) -> Result<ObjectKey, Failure> {
    let Selection { kind, name } = selection(words)?;
    let name = name.ok_or_else(|| Failure::Usage("give the NAME of an object".to_owned()))?;
    Ok(ObjectKey::new(kind.as_str(), name))
}

fn kind_of(word: &str) -> Result<Kind, Failure> {
    word.parse().map_err(|()| {
        Failure::Usage(format!(
            "`{word}` is no kind: there are ContainerGroup (acg), Issuer and AppRegistration (apr)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Option<(Kind, Option<String>)> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        selection(&words).ok().map(|s| (s.kind, s.name))
    }

    #[test]
    fn kinds_and_names_in_all_forms() {
        use Kind::{AppRegistration, ContainerGroup, Issuer};
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(read(&[]), Some((ContainerGroup, None)));
        assert_eq!(read(&["acg"]), Some((ContainerGroup, None)));
        assert_eq!(read(&["ISSUERS"]), Some((Issuer, None)));
        assert_eq!(read(&["apr"]), Some((AppRegistration, None)));
        assert_eq!(read(&["appregistration/api"]), Some((AppRegistration, named("api"))));
        assert_eq!(read(&["app"]), Some((ContainerGroup, named("app"))));
        assert_eq!(read(&["issuer", "ca"]), Some((Issuer, named("ca"))));
        assert_eq!(read(&["containergroups/app"]), Some((ContainerGroup, named("app"))));
        assert_eq!(read(&["issuer.aci-operator.io/ca"]), Some((Issuer, named("ca"))));
        // An object may have the name of a kind.
        assert_eq!(read(&["acg", "issuer"]), Some((ContainerGroup, named("issuer"))));
        for wrong in [&["pod", "x"][..], &["pod/x"], &["issuer/"], &["acg", "a", "b"]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert!(object(&["issuer".to_owned()]).is_err());
    }
}
