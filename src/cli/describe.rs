//! One object in full, and what happened.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::get::short;
use super::print::{self, Colour, Screen, plain};
use super::table::{self, Cell};
use super::{Exit, Output, Result, Session, human, name};
use crate::app::view::{self, CountedEvent, Item};
use crate::core::Condition;
use crate::core::outcome::EventType;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator describe app-with-ssl
  aci-operator describe issuer/local-ca
  aci-operator describe appregistration/mon-api")]
pub(super) struct DescribeArgs {
    /// NAME, KIND NAME or KIND/NAME
    #[arg(value_name = "[KIND] NAME", num_args = 1..=2, required = true)]
    what: Vec<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator events
  aci-operator events app-with-ssl")]
pub(super) struct EventsArgs {
    /// NAME, KIND NAME or KIND/NAME; all events without
    #[arg(value_name = "[KIND] [NAME]", num_args = 0..=2)]
    what: Vec<String>,
}

impl Session {
    pub(super) async fn events(&self, args: &EventsArgs) -> Result {
        let home = self.app.home().await?;
        let key = if args.what.is_empty() { None } else { Some(name::object(&args.what)?) };
        let events = self.app.events(&home, key.as_ref()).await?;
        if let Output::Json | Output::Yaml = self.output {
            let documents: Vec<_> = events.iter().map(|event| json!(event)).collect();
            self.print_document(&view::list(&documents))?;
            return Ok(Exit::Done);
        }
        if events.is_empty() {
            self.screen.note("No events found");
        }
        let table = event_table(self.screen, &events, self.app.now());
        print::raw(table.as_bytes())?;
        Ok(Exit::Done)
    }

    pub(super) async fn describe(&self, args: &DescribeArgs) -> Result {
        let key = name::object(&args.what)?;
        let home = self.app.home().await?;
        let item = self.app.item(&home, &key).await?;
        if let Output::Json | Output::Yaml = self.output {
            self.print_document(&item.document())?;
            return Ok(Exit::Done);
        }
        let now = self.app.now();
        let events = self.app.events(&home, Some(&key)).await?;
        let mut text = describe(self.screen, &item, now);
        text.push_str(&section("Events", &event_table(self.screen, &events, now)));
        print::raw(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

fn event_table(screen: Screen, events: &[CountedEvent], now: DateTime<Utc>) -> String {
    let row = |counted: &CountedEvent| {
        let colour = match counted.event.kind {
            EventType::Normal => Colour::None,
            EventType::Warning => Colour::Yellow,
        };
        vec![
            Cell::new(human::duration(now - counted.last)),
            Cell::coloured(format!("{:?}", counted.event.kind), colour),
            Cell::new(counted.event.reason.to_string()),
            Cell::new(short(&counted.object)),
            Cell::new(counted.count.to_string()),
            Cell::new(&counted.event.message),
        ]
    };
    let rows: Vec<_> = events.iter().map(row).collect();
    table::render(screen, &["LAST", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"], &rows)
}

fn describe(screen: Screen, item: &Item, now: DateTime<Utc>) -> String {
    [
        facts(item, now),
        section("Origins of the container group", &lines(&item.status["origins"])),
        section("Redirect URIs of the API", &lines(&item.status["redirectUris"])),
        section("Redirect URIs of Swagger", &lines(&item.status["swaggerRedirectUris"])),
        section("Added by others", &lines(&item.status["foreign"])),
        section("Containers", &containers(screen, &item.status["containers"])),
        section("Waits for `aci-operator approve`", &pending(&item.status["pendingApproval"])),
        section("Conditions", &conditions(screen, &item.facts.common.conditions, now)),
    ]
    .concat()
}

/// A heading over indented lines; nothing where there are none.
fn section(name: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = text.lines().map(|line| format!("  {line}")).collect();
    format!("\n{name}:\n{}\n", lines.join("\n"))
}

fn facts(item: &Item, now: DateTime<Utc>) -> String {
    let Item { entry, facts, status } = item;
    let time = |at: Option<DateTime<Utc>>| {
        at.map(|at| {
            format!(
                "{} ({})",
                at.to_rfc3339_opts(SecondsFormat::Secs, true),
                human::distance(at, now)
            )
        })
    };
    let text = |name: &str| status[name].as_str().map(str::to_owned);
    let generation = format!("{} (seen: {})", entry.generation, facts.common.observed_generation);
    let fields = [
        ("Name", Some(entry.key.name.clone())),
        ("Kind", Some(entry.key.kind.clone())),
        ("UID", Some(entry.uid.clone())),
        ("Generation", Some(generation)),
        ("Created", time(Some(entry.created))),
        ("Deletion asked", time(entry.deletion)),
        ("Manifest", entry.place.clone()),
        ("Reason", Some(item.reason().to_string())),
        ("Message", Some(item.message())),
        ("Azure id", text("id")),
        ("Application id", text("appId")),
        ("Object id", text("objectId")),
        ("Swagger id", text("swaggerAppId")),
        ("Swagger object", text("swaggerObjectId")),
        ("Tenant", text("tenantId")),
        ("Authority", text("authority")),
        ("Scope", text("scope")),
        ("State", facts.provisioning_state.clone()),
        ("IP", facts.ip.map(|ip| ip.to_string())),
        ("FQDN", facts.fqdn.clone()),
        ("Origins", origins(status)),
        ("Certificate", facts.serial.clone()),
        ("Served", facts.served_serial.clone()),
        ("On the volume", baked(status, now)),
        ("Expires", time(facts.expires)),
        ("Renews", time(facts.renews)),
        ("Facts read", time(facts.common.observed_at)),
    ];
    let known = |(name, value): (&str, Option<String>)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!("{:<16}{}\n", format!("{name}:"), plain(&value)))
    };
    fields.into_iter().filter_map(known).collect()
}

/// Where redirect URIs and CORS may point to.
fn origins(status: &Value) -> Option<String> {
    let origins = status["origins"].as_array()?.iter().filter_map(Value::as_str);
    Some(origins.collect::<Vec<_>>().join(" "))
}

/// The leaf that serves after the containers are made anew, where it is an older one.
fn baked(status: &Value, now: DateTime<Utc>) -> Option<String> {
    let baked = &status["bakedCertificate"];
    let (serial, end) = (baked["serialNumber"].as_str()?, baked["notAfter"].as_str()?);
    let renewal: Option<DateTime<Utc>> = baked["renewalTime"].as_str()?.parse().ok();
    let due = if renewal.is_some_and(|at| at < now) { "WARNING: past its renewal, " } else { "" };
    (baked["stale"] == true).then(|| {
        format!(
            "{serial}, until {end}: {due}an older one, served after a start until it is swapped"
        )
    })
}

fn containers(screen: Screen, status: &Value) -> String {
    let row = |container: &Value| {
        vec![
            Cell::of(container["name"].as_str()),
            Cell::of(container["state"].as_str()),
            Cell::of(container["restartCount"].as_i64()),
        ]
    };
    let rows: Vec<_> = status.as_array().into_iter().flatten().map(row).collect();
    table::render(screen, &["NAME", "STATE", "RESTARTS"], &rows)
}

fn lines(list: &Value) -> String {
    let all = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    all.map(plain).collect::<Vec<_>>().join("\n")
}

fn pending(status: &Value) -> String {
    let Some(cost) = status["cost"].as_str() else { return String::new() };
    let changes = status["changes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let lines: Vec<_> = changes.map(plain).collect();
    format!("cost: {cost}\n{}", lines.join("\n"))
}

fn conditions(screen: Screen, conditions: &[Condition], now: DateTime<Utc>) -> String {
    let row = |condition: &Condition| {
        vec![
            Cell::new(condition.kind.to_string()),
            Cell::new(format!("{:?}", condition.status)),
            Cell::new(condition.reason.to_string()),
            Cell::new(human::duration(now - condition.last_transition_time)),
            Cell::new(&condition.message),
        ]
    };
    let rows: Vec<_> = conditions.iter().map(row).collect();
    table::render(screen, &["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], &rows)
}
