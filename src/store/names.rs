//! Names from outside as segments of a blob's name.

use std::fmt::Write as _;

use crate::ports::ObjectKey;

/// The blob of an object in a room of the home.
pub(super) fn of(room: &str, key: &ObjectKey) -> String {
    format!("{room}/{}/{}", escape(&key.kind), escape(&key.name))
}

/// The object that a blob of a room belongs to, if the name is one of [`of`]'s.
pub(super) fn object(name: &str) -> Option<ObjectKey> {
    let mut segments = name.split('/').skip(1);
    let (kind, name) = (unescape(segments.next()?)?, unescape(segments.next()?)?);
    segments.next().is_none().then(|| ObjectKey::new(kind, name))
}

/// The name as one segment: letters, digits, `-`, `_` and inner full stops stand for themselves, all
/// other bytes are written `%XX`; the empty name is `%`.
pub(super) fn escape(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut segment = String::with_capacity(name.len());
    for (i, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && i > 0) {
            segment.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The name that a segment stands for, if it is one of [`escape`]'s.
pub(super) fn unescape(segment: &str) -> Option<String> {
    if segment == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (code, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
        rest = tail;
    }
    let name = String::from_utf8(bytes).ok()?;
    (escape(&name) == segment).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_in_their_place() {
        for (name, segment) in [
            ("my-api_1.0", "my-api_1.0"),
            ("..", "%2E."),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            (".hidden", "%2Ehidden"),
            ("", "%"),
            ("a%2Fb", "a%252Fb"),
            ("é\0", "%C3%A9%00"),
        ] {
            assert_eq!(escape(name), segment);
            assert_eq!(unescape(segment).as_deref(), Some(name));
        }
        for foreign in ["%2f", "%zz", "%4", "%41", ".x", "%FF"] {
            assert_eq!(unescape(foreign), None, "{foreign}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC*") {
            let segment = escape(&name);
            proptest::prop_assert!(!segment.starts_with('.') && !segment.contains('/'));
            proptest::prop_assert_eq!(unescape(&segment), Some(name));
        }
    }
}
