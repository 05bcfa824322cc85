//! The way from the pages back to the client.

use url::Url;

use super::authorize::Fields;
use super::refused::Refused;

/// The way back to the client.
#[derive(Clone, Debug)]
pub(super) struct Back {
    pub(super) redirect: String,
    mode: Mode,
    state: Option<String>,
}

/// How the client is told: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// What brings the browser back.
#[derive(Debug, PartialEq)]
pub(super) enum Way {
    /// A redirect to this address.
    Redirect(String),
    /// A form with these fields.
    Form(Fields),
}

impl Mode {
    /// The mode of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "query" => Some(Self::Query),
            "fragment" => Some(Self::Fragment),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }
}

impl Back {
    pub(super) fn new(redirect: String, mode: Mode, state: Option<String>) -> Self {
        Self { redirect, mode, state }
    }

    /// How the client learns `pairs`.
    pub(super) fn with(&self, pairs: &[(&str, &str)]) -> Way {
        let told = pairs.iter().copied().chain(self.state.iter().map(|state| ("state", &**state)));
        if self.mode == Mode::FormPost {
            let owned = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
            return Way::Form(owned.collect());
        }
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish();
        let redirect = &self.redirect;
        let mark = match self.mode {
            Mode::Fragment => '#',
            _ if redirect.contains('?') => '&',
            _ => '?',
        };
        Way::Redirect(format!("{redirect}{mark}{text}"))
    }

    /// How the client learns of a refusal.
    pub(super) fn refusal(&self, refused: &Refused) -> Way {
        self.with(&[("error", refused.error), ("error_description", &refused.description())])
    }

    /// Whom the pages may send their forms to, as a Content Security Policy says it.
    pub(super) fn source(&self) -> Option<String> {
        let url = Url::parse(&self.redirect).ok()?;
        let origin = url.origin();
        Some(if origin.is_tuple() {
            origin.ascii_serialization()
        } else {
            format!("{}:", url.scheme())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(redirect: &str, mode: Mode) -> Back {
        Back { redirect: redirect.to_owned(), mode, state: Some("a&b=c#d".to_owned()) }
    }

    #[test]
    fn ways_back() {
        let pairs = [("code", "x y")];
        for (redirect, mode, expected) in [
            ("https://a.test/b", Mode::Query, "https://a.test/b?code=x+y&state=a%26b%3Dc%23d"),
            (
                "https://a.test/b?c=d",
                Mode::Query,
                "https://a.test/b?c=d&code=x+y&state=a%26b%3Dc%23d",
            ),
            (
                "https://a.test/b?c=d",
                Mode::Fragment,
                "https://a.test/b?c=d#code=x+y&state=a%26b%3Dc%23d",
            ),
        ] {
            assert_eq!(back(redirect, mode).with(&pairs), Way::Redirect(expected.to_owned()));
        }
        let fields = [("code", "x y"), ("state", "a&b=c#d")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = back("https://a.test", Mode::FormPost).with(&pairs);
        assert_eq!(form, Way::Form(Fields::from(fields)));
    }

    #[test]
    fn who_may_be_sent_a_form() {
        for (redirect, source) in [
            ("https://A.test/b?c", "https://a.test"),
            ("http://localhost:3000/b", "http://localhost:3000"),
            ("myapp://auth", "myapp:"),
        ] {
            assert_eq!(back(redirect, Mode::Query).source().as_deref(), Some(source));
        }
    }
}
