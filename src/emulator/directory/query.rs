//! OData's query options, and one page of a collection.
//!
//! Source: learn.microsoft.com/graph/query-parameters. Without `$top` a page has 100 objects, with it up
//! to 999 (learn.microsoft.com/graph/api/application-list). `$count` is accepted and not answered.

use serde_json::{Map, Value, json};

use super::answer::Reply;
use super::error::Error;
use super::filter::{self, Filter};
use super::{Context, Directory};

/// Objects in a page where nobody says otherwise, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 999;

/// What stands behind the question mark.
#[derive(Debug, Default)]
pub(super) struct Query {
    filter: Option<Filter>,
    select: Option<Vec<String>>,
    top: Option<usize>,
    /// The id after which the page begins.
    skip: Option<String>,
    /// As sent, but for the skip token: for `nextLink`.
    pairs: Vec<(String, String)>,
}

/// The options of an encoded query.
pub(super) fn parse(text: &str) -> Result<Query, Error> {
    let mut query = Query::default();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()).into_owned() {
        match name.as_str() {
            "$filter" => query.filter = Some(filter::parse(&value)?),
            "$select" => {
                query.select = Some(value.split(',').map(|part| part.trim().to_owned()).collect());
            }
            "$top" => query.top = Some(top(&value)?),
            "$skiptoken" => {
                query.skip = Some(value);
                continue;
            }
            "$count" => (),
            _ => {
                let message = format!("Query option '{name}' is not supported.");
                return Err(Error::new(400, "BadRequest", message));
            }
        }
        query.pairs.push((name, value));
    }
    Ok(query)
}

fn top(value: &str) -> Result<usize, Error> {
    let number: Option<usize> = value.parse().ok();
    number.filter(|top| (1..=PAGE_MAX).contains(top)).ok_or_else(|| {
        let message =
            format!("Invalid page size specified: '{value}'. Must be between 1 and 999 inclusive.");
        Error::new(400, "Request_UnsupportedQuery", message)
    })
}

impl Query {
    /// The object with the properties that were asked for.
    fn pick(&self, kind: &str, object: Value) -> Result<Value, Error> {
        let (Some(select), Value::Object(mut object)) = (&self.select, object.clone()) else {
            return Ok(object);
        };
        let mut picked = Map::new();
        for name in select {
            let value = object.remove(name).ok_or_else(|| {
                let message = format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{name}' \
                     on type 'microsoft.graph.{kind}'."
                );
                Error::new(400, "BadRequest", message)
            })?;
            picked.insert(name.clone(), value);
        }
        Ok(Value::Object(picked))
    }
}

impl Directory {
    /// One object of a type, as asked for.
    pub(super) fn one(
        &self,
        context: &Context,
        collection: &str,
        kind: &str,
        object: Value,
    ) -> Result<Value, Error> {
        let mut body = context.query.pick(kind, object)?;
        body["@odata.context"] = self.metadata(&format!("{collection}/$entity"));
        Ok(body)
    }

    /// One page of `objects`, which come in the order of their ids.
    pub(super) fn page(
        &self,
        context: &Context,
        collection: &str,
        kind: &str,
        objects: Vec<Value>,
    ) -> Result<Reply, Error> {
        let query = &context.query;
        let mut found = Vec::new();
        let mut next = None;
        for object in objects {
            let id = object["id"].as_str().unwrap_or_default().to_owned();
            if query.skip.as_ref().is_some_and(|skip| id <= *skip) {
                continue;
            }
            if let Some(filter) = &query.filter
                && !filter.holds(kind, &object)?
            {
                continue;
            }
            if found.len() == query.top.unwrap_or(PAGE) {
                next = found.last().map(|(id, _): &(String, Value)| self.next_link(context, id));
                break;
            }
            found.push((id, query.pick(kind, object)?));
        }
        let value: Vec<Value> = found.into_iter().map(|(_, object)| object).collect();
        let mut body = json!({"@odata.context": self.metadata(collection), "value": value});
        if let Some(next) = next {
            body["@odata.nextLink"] = json!(next);
        }
        Ok(Reply::ok(body))
    }

    fn metadata(&self, what: &str) -> Value {
        json!(format!("{}/v1.0/$metadata#{what}", self.settings.base_url))
    }

    fn next_link(&self, context: &Context, last: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&context.query.pairs)
            .append_pair("$skiptoken", last)
            .finish();
        format!("{}{}?{query}", self.settings.base_url, context.path)
    }
}
