//! `$filter`: `eq`, `ne`, `startswith`, `any`, joined by `and`, `or`, `not` and parentheses.
//!
//! Source: learn.microsoft.com/graph/filter-query-parameter. The directory compares texts without case.

use serde_json::Value;

use super::error::Error;

/// A condition on an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// A property and how it compares.
    Test(Vec<String>, Test),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Equals(Value),
    StartsWith(String),
    /// One element of a list does.
    Any(Box<Filter>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    /// `(`, `)`, `,`, `:`
    Mark(char),
}

/// Parses the decoded text of a filter.
pub(super) fn parse(text: &str) -> Result<Filter, Error> {
    let invalid = || Error::bad(format!("Invalid filter clause: {text}"));
    let tokens = tokens(text).ok_or_else(invalid)?;
    let mut parser = Parser { tokens: &tokens, variable: None };
    parser.either().filter(|_| parser.tokens.is_empty()).ok_or_else(invalid)
}

impl Filter {
    /// Whether it holds for `object`, which is of the type `microsoft.graph.{kind}`.
    pub(super) fn holds(&self, kind: &str, object: &Value) -> Result<bool, Error> {
        Ok(match self {
            Self::And(left, right) => left.holds(kind, object)? && right.holds(kind, object)?,
            Self::Or(left, right) => left.holds(kind, object)? || right.holds(kind, object)?,
            Self::Not(inner) => !inner.holds(kind, object)?,
            Self::Test(path, test) => {
                let mut value = object;
                for name in path {
                    value = value.get(name).ok_or_else(|| unknown(kind, name))?;
                }
                test.holds(kind, value)?
            }
        })
    }
}

impl Test {
    fn holds(&self, kind: &str, value: &Value) -> Result<bool, Error> {
        Ok(match (self, value) {
            (Self::Equals(Value::String(wanted)), Value::String(text)) => {
                wanted.to_lowercase() == text.to_lowercase()
            }
            (Self::Equals(wanted), value) => wanted == value,
            (Self::StartsWith(start), Value::String(text)) => {
                text.to_lowercase().starts_with(&start.to_lowercase())
            }
            (Self::Any(inner), Value::Array(elements)) => {
                let mut found = false;
                for element in elements {
                    found |= inner.holds(kind, element)?;
                }
                found
            }
            _ => false,
        })
    }
}

fn unknown(kind: &str, name: &str) -> Error {
    let message =
        format!("Could not find a property named '{name}' on type 'microsoft.graph.{kind}'.");
    Error::new(400, "BadRequest", message)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' | ')' | ',' | ':' => (Token::Mark(first), &rest[1..]),
            '\'' => quoted(&rest[1..])?,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "(),:'".contains(c));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                (Token::Word(word.to_owned()), after)
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Some(tokens)
}

/// The text up to its closing quote; a quote inside is doubled.
fn quoted(rest: &str) -> Option<(Token, &str)> {
    let mut text = String::new();
    let mut rest = rest;
    loop {
        let (piece, after) = rest.split_once('\'')?;
        text.push_str(piece);
        let Some(more) = after.strip_prefix('\'') else { return Some((Token::Text(text), after)) };
        text.push('\'');
        rest = more;
    }
}

/// Recursive descent; `None` is a syntax error.
struct Parser<'a> {
    tokens: &'a [Token],
    /// The lambda variable in whose scope it is.
    variable: Option<String>,
}

impl Parser<'_> {
    fn either(&mut self) -> Option<Filter> {
        let mut left = self.both()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Filter> {
        let mut left = self.single()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.single()?));
        }
        Some(left)
    }

    fn single(&mut self) -> Option<Filter> {
        if self.word("not") {
            return Some(Filter::Not(Box::new(self.single()?)));
        }
        if self.mark('(') {
            let inner = self.either()?;
            return self.mark(')').then_some(inner);
        }
        if self.word("startswith") {
            return self.starts_with();
        }
        let path = self.next_word()?;
        if let Some(list) = path.strip_suffix("/any") {
            return self.any(list);
        }
        let path = self.path(&path)?;
        let negated = self.word("ne");
        if !negated && !self.word("eq") {
            return None;
        }
        let test = Filter::Test(path, Test::Equals(self.literal()?));
        Some(if negated { Filter::Not(Box::new(test)) } else { test })
    }

    fn starts_with(&mut self) -> Option<Filter> {
        let opened = self.mark('(');
        let path = self.next_word()?;
        let path = self.path(&path)?;
        let comma = self.mark(',');
        let Value::String(start) = self.literal()? else { return None };
        (opened && comma && self.mark(')')).then_some(Filter::Test(path, Test::StartsWith(start)))
    }

    fn any(&mut self, list: &str) -> Option<Filter> {
        let path = self.path(list)?;
        let opened = self.mark('(');
        let variable = self.next_word()?;
        let colon = self.mark(':');
        let outer = self.variable.replace(variable);
        let inner = self.either()?;
        self.variable = outer;
        (opened && colon && self.mark(')'))
            .then_some(Filter::Test(path, Test::Any(Box::new(inner))))
    }

    /// The names of a property path; a lambda's variable is its element itself.
    fn path(&self, text: &str) -> Option<Vec<String>> {
        let mut names: Vec<String> = text.split('/').map(str::to_owned).collect();
        if self.variable.as_ref().is_some_and(|variable| names.first() == Some(variable)) {
            names.remove(0);
        }
        names.iter().all(|name| !name.is_empty()).then_some(names)
    }

    fn literal(&mut self) -> Option<Value> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(match first {
            Token::Text(text) => Value::String(text.clone()),
            Token::Word(word) => match word.as_str() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                // Numbers, and identifiers and times, which OData writes without quotes.
                other => other.parse().map_or_else(|_| Value::from(other), |n: i64| Value::from(n)),
            },
            Token::Mark(_) => return None,
        })
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.take(|token| matches!(token, Token::Word(word) if word == wanted))
    }

    fn mark(&mut self, wanted: char) -> bool {
        self.take(|token| *token == Token::Mark(wanted))
    }

    fn take(&mut self, wanted: impl Fn(&Token) -> bool) -> bool {
        let Some((first, rest)) = self.tokens.split_first() else { return false };
        let found = wanted(first);
        if found {
            self.tokens = rest;
        }
        found
    }

    fn next_word(&mut self) -> Option<String> {
        let (Token::Word(word), rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        Some(word.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions() {
        let object = json!({
            "displayName": "It's an API", "appId": "7a", "tags": ["x", "y"], "note": null,
            "web": {"homePageUrl": "https://a"}, "enabled": true, "roles": [{"value": "r"}],
        });
        for (text, expected) in [
            ("displayName eq 'it''s an api'", true),
            ("startswith(displayName,'IT''S')", true),
            ("startswith(displayName, 'no') or appId eq '7A'", true),
            ("appId ne '7a'", false),
            ("tags/any(t:t eq 'Y')", true),
            ("tags/any(t:startswith(t,'z'))", false),
            ("roles/any(r:r/value eq 'r')", true),
            ("not (enabled eq true and note eq null)", false),
            ("web/homePageUrl eq 'https://a'", true),
            ("appId eq 7a", true),
            ("displayName eq 'a' or displayName eq 'b' and enabled eq true", false),
        ] {
            assert_eq!(parse(text).unwrap().holds("application", &object), Ok(expected), "{text}");
        }
        for text in [
            "",
            "displayName",
            "displayName eq",
            "displayName eq 'a",
            "a eq 'b' 'c'",
            "startswith(a)",
            "(a eq 'b'",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let unknown = parse("nope eq 'x'").unwrap().holds("application", &object).unwrap_err();
        assert!(unknown.message.contains("'nope'"), "{unknown}");
    }
}
