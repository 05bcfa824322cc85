//! What a request asks of the Blob service, and which right that takes. Pure; what is not known here is
//! refused and never gets to Azurite.
//!
//! Source of the rights: learn.microsoft.com/rest/api/storageservices/
//! authorize-with-azure-active-directory#permissions-for-calling-data-operations.

use axum::http::{HeaderMap, Method, Uri, header};
use url::Url;

use crate::emulator::faults::Operation;

/// One request, understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) account: String,
    pub(super) container: Option<String>,
    pub(super) what: What,
}

/// An operation of the service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    ListContainers,
    CreateContainer,
    ReadContainer,
    DeleteContainer,
    LeaseContainer,
    List,
    Read,
    /// Replaces a blob, or makes it.
    Write,
    /// Makes a blob where there is none: `If-None-Match: *`.
    Add,
    Lease,
    Delete,
}

const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

/// Query parameters that are understood; others could mean another right.
const PARAMETERS: [&str; 10] = [
    "blockid",
    "blocklisttype",
    "comp",
    "delimiter",
    "include",
    "marker",
    "maxresults",
    "prefix",
    "restype",
    "timeout",
];
/// Headers that make another operation of a request, or take another right.
const REFUSED_HEADERS: [&str; 7] = [
    "x-ms-copy-source",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-if-tags",
    "x-ms-rename-source",
    "x-ms-tags",
    "x-ms-blob-public-access",
];

impl Asked {
    /// The request in path style: `/ACCOUNT[/CONTAINER[/BLOB]]`.
    pub(super) fn parse(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        if !is_plain(uri.path()) {
            return None;
        }
        let mut parts = uri.path().strip_prefix('/')?.splitn(3, '/');
        let account = parts.next().filter(|name| !name.is_empty())?.to_owned();
        let container = parts.next().filter(|name| !name.is_empty());
        if container.is_some_and(|name| !is_container(name)) {
            return None;
        }
        let blob = parts.next().filter(|name| !name.is_empty());
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let pairs: Vec<_> =
            pairs.map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect();
        let query = |wanted: &str| {
            pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        if pairs.iter().any(|(name, _)| !PARAMETERS.contains(&name.as_str()))
            || REFUSED_HEADERS.iter().any(|name| headers.contains_key(*name))
        {
            return None;
        }
        let kind = headers.get("x-ms-blob-type");
        let block = kind.is_some_and(|kind| kind.as_bytes() == b"BlockBlob");
        let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == b"*");
        let write = if fresh { What::Add } else { What::Write };
        let at = (container.is_some(), blob.is_some(), query("restype"), query("comp"));
        let what = match (method.as_str(), at) {
            ("GET", (false, false, None, Some("list"))) => What::ListContainers,
            ("PUT", (true, false, Some("container"), None)) => What::CreateContainer,
            ("GET" | "HEAD", (true, false, Some("container"), None)) => What::ReadContainer,
            ("DELETE", (true, false, Some("container"), None)) => What::DeleteContainer,
            ("PUT", (true, false, Some("container"), Some("lease"))) => What::LeaseContainer,
            ("GET", (true, false, Some("container"), Some("list"))) => What::List,
            ("GET" | "HEAD", (true, true, None, None | Some("metadata" | "blocklist"))) => {
                What::Read
            }
            ("PUT", (true, true, None, None)) if block => write,
            ("PUT", (true, true, None, Some("blocklist"))) => write,
            ("PUT", (true, true, None, Some("block" | "metadata" | "properties"))) => What::Write,
            ("PUT", (true, true, None, Some("lease"))) => What::Lease,
            ("DELETE", (true, true, None, None)) => What::Delete,
            _ => return None,
        };
        Some(Self { account, container: container.map(str::to_owned), what })
    }

    /// The actions of which the caller needs one, of its roles' `dataActions`; on containers: of their
    /// `actions`.
    pub(super) fn actions(&self) -> Vec<String> {
        let actions: &[&str] = match self.what {
            What::ListContainers | What::ReadContainer => &["read"],
            What::CreateContainer | What::LeaseContainer => &["write"],
            What::DeleteContainer => &["delete"],
            What::List | What::Read => &["blobs/read"],
            What::Write | What::Lease => &["blobs/write"],
            What::Add => &["blobs/write", "blobs/add/action"],
            What::Delete => &["blobs/delete"],
        };
        actions.iter().map(|action| format!("{CONTAINERS}/{action}")).collect()
    }

    /// Whether the actions are data actions.
    pub(super) fn is_data(&self) -> bool {
        matches!(
            self.what,
            What::List | What::Read | What::Write | What::Add | What::Lease | What::Delete
        )
    }

    /// Where the right must hold, in the account with ARM's id `account`.
    pub(super) fn scope(&self, account: &str) -> String {
        match (&self.container, self.what) {
            (Some(container), _) => {
                format!("{account}/blobServices/default/containers/{container}")
            }
            (None, _) => account.to_owned(),
        }
    }

    /// What faults and counts call it.
    pub(super) fn operation(&self) -> Operation {
        match self.what {
            What::ListContainers | What::List => Operation::BlobList,
            What::Read | What::ReadContainer => Operation::BlobRead,
            What::Lease | What::LeaseContainer => Operation::BlobLease,
            _ => Operation::BlobWrite,
        }
    }
}

/// Whether a path means what it says, to whoever reads it: none of it climbs.
fn is_plain(path: &str) -> bool {
    Url::parse(&format!("http://localhost{path}")).is_ok_and(|url| url.path() == path)
}

/// Whether a name can be a container's; then it has one spelling.
fn is_container(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-$".contains(&b))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn parse(method: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> Option<Asked> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers = headers.iter().map(pair).collect();
        Asked::parse(&method.parse().unwrap(), &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn what_is_known() {
        let block = ("x-ms-blob-type", "BlockBlob");
        let fresh = ("if-none-match", "*");
        for (method, uri, headers, what, right) in [
            ("GET", "/acc?comp=list", &[][..], What::ListContainers, "read"),
            ("PUT", "/acc/c?restype=container", &[], What::CreateContainer, "write"),
            ("GET", "/acc/c?restype=container&comp=list&prefix=a", &[], What::List, "blobs/read"),
            ("GET", "/acc/c/a/b", &[], What::Read, "blobs/read"),
            ("HEAD", "/acc/c/a", &[], What::Read, "blobs/read"),
            ("PUT", "/acc/c/a", &[block], What::Write, "blobs/write"),
            ("PUT", "/acc/c/a", &[block, fresh], What::Add, "blobs/write"),
            ("PUT", "/acc/c/a?comp=lease", &[], What::Lease, "blobs/write"),
            ("DELETE", "/acc/c/a", &[], What::Delete, "blobs/delete"),
        ] {
            let asked = parse(method, uri, headers).unwrap();
            assert_eq!(asked.what, what, "{method} {uri}");
            assert_eq!(asked.actions()[0], format!("{CONTAINERS}/{right}"));
        }
    }

    #[test]
    fn what_is_refused() {
        let block = ("x-ms-blob-type", "BlockBlob");
        for (method, uri, headers) in [
            ("GET", "/", &[][..]),
            ("GET", "/acc", &[]),
            ("PUT", "/acc/c/a", &[]),
            ("PUT", "/acc/c/a", &[("x-ms-blob-type", "PageBlob")]),
            ("PUT", "/acc/c/a", &[block, ("x-ms-copy-source", "https://x/")]),
            ("GET", "/acc/c/a?snapshot=x", &[]),
            ("GET", "/acc/c/a?sig=x&se=y", &[]),
            ("PUT", "/acc/c?restype=container&comp=acl", &[]),
            ("POST", "/acc/?restype=service&comp=userdelegationkey", &[]),
        ] {
            assert_eq!(parse(method, uri, headers), None, "{method} {uri}");
        }
    }

    #[test]
    fn a_path_has_one_reading() {
        let asked = parse("GET", "/acc/c-x/a%20b", &[]).unwrap();
        assert_eq!(asked.scope("/id"), "/id/blobServices/default/containers/c-x");
        for path in [
            "/acc/c%2Dx/a",
            "/acc/open/../secret/a",
            "/acc/open/%2e%2e/secret/a",
            "/acc/open/.%2E/secret/a",
            "/acc/open/./a",
            "/acc/open\\..\\secret/a",
        ] {
            let uri = path.parse::<Uri>();
            let read = uri.ok().and_then(|_| parse("GET", path, &[]));
            assert_eq!(read, None, "{path}");
        }
        let asked = parse("GET", "/acc?comp=list", &[]).unwrap();
        assert_eq!(asked.scope("/id"), "/id");
    }
}
