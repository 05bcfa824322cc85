//! Where each field of a YAML text stands.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// A place in a text, both counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Line.
    pub(super) line: usize,
    /// Column, in characters.
    pub(super) column: usize,
}

impl Place {
    /// The beginning.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(span: Span) -> Self {
        Self { line: span.start.line(), column: span.start.col() + 1 }
    }
}

/// The places of one document: a field where its name stands, an element of a list where it begins.
#[derive(Debug)]
pub(super) struct Places {
    /// Where the document begins.
    pub(super) start: Place,
    fields: HashMap<String, Place>,
}

impl Places {
    /// The place of the field at `path`, or of the nearest one around it.
    pub(super) fn find(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.fields.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.start,
            }
        }
    }
}

/// The documents of `text` that are not empty, as far as it can be read.
pub(super) fn index(text: &str) -> Vec<Places> {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        walk.event(&event, Place::of(span));
    }
    walk.documents
}

/// A list or mapping that is open.
enum Open {
    List {
        path: String,
        next: usize,
    },
    /// `key` is the path of the value that comes next.
    Mapping {
        path: String,
        key: Option<String>,
    },
}

#[derive(Default)]
struct Walk {
    documents: Vec<Places>,
    open: Vec<Open>,
}

impl Walk {
    fn event(&mut self, event: &Event<'_>, place: Place) {
        match event {
            Event::Scalar(text, style, ..) => {
                let null = *style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                if !(self.open.is_empty() && null) {
                    self.node(Some(text), place);
                }
            }
            Event::Alias(_) => {
                self.node(None, place);
            }
            Event::SequenceStart(..) => {
                let path = self.node(None, place);
                self.open.push(Open::List { path, next: 0 });
            }
            Event::MappingStart(..) => {
                let path = self.node(None, place);
                self.open.push(Open::Mapping { path, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::DocumentStart(_) => self.open.clear(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    /// Notes a node and returns its path; `text` is that of a scalar.
    fn node(&mut self, text: Option<&str>, place: Place) -> String {
        let path = match self.open.last_mut() {
            None => {
                self.documents.push(Places { start: place, fields: HashMap::new() });
                return String::new();
            }
            Some(Open::List { path, next }) => {
                let path = format!("{path}[{next}]");
                *next += 1;
                path
            }
            Some(Open::Mapping { path, key }) => {
                // A value; its name before it has the better place.
                if let Some(path) = key.take() {
                    return path;
                }
                let path = super::child(path, text.unwrap_or_default());
                *key = Some(path.clone());
                path
            }
        };
        if let Some(document) = self.documents.last_mut() {
            document.fields.entry(path.clone()).or_insert(place);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_elements_have_places() {
        let text = "---\n---\na: 1\nb:\n- c: [x, {d: 1}]\n--- {e: {f: 2}}\n";
        let documents = index(text);
        assert_eq!(documents.len(), 2);
        let at = |document: usize, path: &str| {
            let place = documents[document].find(path);
            (place.line, place.column)
        };
        assert_eq!(at(0, "a"), (3, 1));
        assert_eq!(at(0, "b[0]"), (5, 3));
        assert_eq!(at(0, "b[0].c[1].d"), (5, 11));
        assert_eq!(at(0, "b[0].c[1].none.at.all"), (5, 10));
        assert_eq!(at(1, "e.f"), (6, 10));
        assert_eq!(at(1, ""), (6, 5));
    }
}
