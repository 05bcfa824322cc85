//! What is known: tables, documents, descriptions, events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;

use super::name::{self, Selection};
use super::print::{self, Colour, Failure, plain};
use super::table::{self, Cell};
use super::{Exit, Output, Result, Session, human};
use crate::app::live::{Live, LiveGroup};
use crate::app::view::{self, Freshness, Item, Snapshot};
use crate::app::{Home, view::ObjectKey};
use crate::core::{ConditionType, Reason, Truth};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator get
  aci-operator get app-with-ssl -o json
  aci-operator get issuers
  aci-operator get appregistrations
  aci-operator get --watch
  aci-operator get --live

Kinds: ContainerGroup (containergroups, acg), which is meant where none is given, Issuer (issuers)
and AppRegistration (appregistrations, apr). It needs no daemon: without one it says how old the
facts are.")]
pub(super) struct GetArgs {
    /// Kind, name, KIND NAME or KIND/NAME
    #[arg(value_name = "[KIND] [NAME]", num_args = 0..=2)]
    what: Vec<String>,
    /// Print objects again when they change
    #[arg(short, long, conflicts_with = "live")]
    watch: bool,
    /// Ask Azure: all container groups of the subscriptions in use, whether ours or not
    #[arg(long)]
    live: bool,
}

/// How often `--watch` looks.
const GLANCE: Duration = Duration::from_millis(500);

impl Session {
    pub(super) async fn get(&self, args: &GetArgs) -> Result {
        let selection = name::selection(&args.what)?;
        if args.live {
            return self.get_live(&selection).await;
        }
        let home = self.app.home().await?;
        let snapshot = self.snapshot(&home, &selection).await?;
        self.remark(&snapshot);
        if args.watch {
            return self.watch(&home, &selection, snapshot).await;
        }
        if snapshot.items.is_empty() && matches!(self.output, Output::Table | Output::Wide) {
            self.screen.note("No objects found");
        }
        self.print_items(&selection, &snapshot.items)?;
        Ok(Exit::Done)
    }

    async fn snapshot(&self, home: &Home, selection: &Selection) -> Result<Snapshot> {
        Ok(self.app.snapshot(home, selection.kind, selection.name.as_deref()).await?)
    }

    /// What a reader of the table has to know beside it.
    fn remark(&self, snapshot: &Snapshot) {
        for problem in &snapshot.problems {
            self.screen.warn(&plain(problem));
        }
        for item in &snapshot.items {
            if let Some(invalid) = &item.entry.invalid {
                self.screen.warn(&format!("{}: {}", item.entry.key, plain(invalid)));
            }
        }
        match snapshot.freshness {
            Freshness::Kept => {}
            Freshness::Old(age) => {
                let age = human::duration(age);
                self.screen.note(&format!("facts are {age} old; no daemon is running"));
            }
            Freshness::Unknown => self.screen.note("no daemon is running"),
        }
    }

    fn print_items(&self, selection: &Selection, items: &[Item]) -> Result<()> {
        let now = self.app.now();
        match self.output {
            Output::Table | Output::Wide => {
                let wide = self.output == Output::Wide;
                let spread = items.iter().any(|item| item.entry.key.namespace.is_some());
                let rows: Vec<_> = items.iter().map(|item| row(item, now, wide, spread)).collect();
                let header = header(selection.kind, wide, spread);
                let table = table::render(self.screen, &header, &rows);
                print::raw(table.as_bytes())?;
            }
            Output::Name => {
                for item in items {
                    print::line(&short(&item.entry.key))?;
                }
            }
            Output::Json | Output::Yaml => {
                let mut documents: Vec<_> = items.iter().map(Item::document).collect();
                let document = if selection.name.is_some() { documents.pop() } else { None };
                self.print_document(&document.unwrap_or_else(|| view::list(&documents)))?;
            }
        }
        Ok(())
    }

    /// A value as JSON or YAML.
    pub(super) fn print_document(&self, document: &Value) -> Result<()> {
        if self.output == Output::Yaml {
            print::yaml(document)?;
        } else {
            print::json(document)?;
        }
        Ok(())
    }

    async fn watch(&self, home: &Home, selection: &Selection, first: Snapshot) -> Result {
        let mut shown = first.items;
        self.print_items(selection, &shown)?;
        loop {
            tokio::time::sleep(GLANCE).await;
            let items = match self.snapshot(home, selection).await {
                Err(Failure::App(crate::app::Error::NotFound(_))) => return Ok(Exit::Done),
                other => other?.items,
            };
            let same = |item: &Item| {
                let before = shown.iter().find(|before| before.entry.key == item.entry.key);
                before.is_some_and(|b| b.entry == item.entry && b.status == item.status)
            };
            let changed: Vec<_> = items.iter().filter(|item| !same(item)).cloned().collect();
            for item in changed {
                self.print_change(selection, &item)?;
            }
            shown = items;
        }
    }

    /// One object that changed, without a header.
    fn print_change(&self, selection: &Selection, item: &Item) -> Result<()> {
        if !matches!(self.output, Output::Table | Output::Wide) {
            let one = Selection { name: Some(item.entry.key.name.clone()), ..*selection };
            return self.print_items(&one, std::slice::from_ref(item));
        }
        let wide = self.output == Output::Wide;
        let spread = item.entry.key.namespace.is_some();
        let header = header(selection.kind, wide, spread);
        let row = row(item, self.app.now(), wide, spread);
        let table = table::render(self.screen, &header, &[row]);
        let row = table.lines().nth(1).unwrap_or_default();
        print::line(row)?;
        Ok(())
    }

    async fn get_live(&self, selection: &Selection) -> Result {
        if selection.kind != view::Kind::ContainerGroup {
            return Err(Failure::Usage("Azure knows container groups only".to_owned()));
        }
        let Live { groups, problems } = self.app.live(selection.name.as_deref()).await?;
        for problem in &problems {
            self.screen.warn(&plain(problem));
        }
        match self.output {
            Output::Table | Output::Wide => {
                if groups.is_empty() {
                    self.screen.note("No objects found");
                }
                let rows: Vec<_> = groups.iter().map(live_row).collect();
                let table = table::render(self.screen, LIVE, &rows);
                print::raw(table.as_bytes())?;
            }
            Output::Name => {
                for live in &groups {
                    print::line(&plain(&live.group.id))?;
                }
            }
            Output::Json | Output::Yaml => {
                let documents: Vec<_> = groups.iter().map(LiveGroup::document).collect();
                self.print_document(&view::list(&documents))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// `kind/name`, as kubectl prints it and as every command takes it.
pub(super) fn short(key: &ObjectKey) -> String {
    format!("{}/{}", key.kind.to_ascii_lowercase(), key.name)
}

const NARROW: [&str; 8] = ["NAME", "READY", "IP", "FQDN", "EXPIRES", "RENEWS", "REASON", "AGE"];
const WIDE: [&str; 12] = [
    "NAME", "READY", "IP", "FQDN", "EXPIRES", "RENEWS", "REASON", "AGE", "STATE", "SERIAL",
    "SERVED", "MESSAGE",
];
const REGISTRATION: [&str; 7] =
    ["NAME", "READY", "APP-ID", "SWAGGER-APP-ID", "ORIGINS", "REASON", "AGE"];
const WIDE_REGISTRATION: [&str; 9] =
    ["NAME", "READY", "APP-ID", "SWAGGER-APP-ID", "ORIGINS", "REASON", "AGE", "SCOPE", "MESSAGE"];
const LIVE: &[&str] = &["NAME", "RESOURCE-GROUP", "LOCATION", "STATE", "IP", "FQDN", "OURS"];

/// The columns; `spread` is over namespaces.
fn header(kind: view::Kind, wide: bool, spread: bool) -> Vec<&'static str> {
    let columns: &[_] = match (kind, wide) {
        (view::Kind::AppRegistration, true) => &WIDE_REGISTRATION,
        (view::Kind::AppRegistration, false) => &REGISTRATION,
        (_, true) => &WIDE,
        (_, false) => &NARROW,
    };
    spread.then_some("NAMESPACE").into_iter().chain(columns.iter().copied()).collect()
}

fn row(item: &Item, now: DateTime<Utc>, wide: bool, spread: bool) -> Vec<Cell> {
    let namespace = spread.then(|| Cell::of(item.entry.key.namespace.as_ref()));
    let cells = if item.entry.key.kind == view::Kind::AppRegistration.as_str() {
        registration_row(item, now, wide)
    } else {
        usual_row(item, now, wide)
    };
    namespace.into_iter().chain(cells).collect()
}

fn usual_row(item: &Item, now: DateTime<Utc>, wide: bool) -> Vec<Cell> {
    let facts = &item.facts;
    let time = |at: Option<DateTime<Utc>>| Cell::of(at.map(|at| human::distance(at, now)));
    let ready = item.ready_truth();
    let mut row = vec![
        Cell::new(&item.entry.key.name),
        Cell::coloured(format!("{ready:?}"), colour(item)),
        Cell::of(facts.ip),
        Cell::of(facts.fqdn.as_ref()),
        expiry(facts.expires, now),
        time(facts.renews),
        Cell::new(item.reason().to_string()),
        Cell::new(human::duration(now - item.entry.created)),
    ];
    if wide {
        row.extend([
            Cell::of(facts.provisioning_state.as_ref()),
            Cell::of(facts.serial.as_ref()),
            Cell::of(facts.served_serial.as_ref()),
            Cell::new(item.message()),
        ]);
    }
    row
}

fn registration_row(item: &Item, now: DateTime<Utc>, wide: bool) -> Vec<Cell> {
    let facts = &item.facts;
    let mut row = vec![
        Cell::new(&item.entry.key.name),
        Cell::coloured(format!("{:?}", item.ready_truth()), colour(item)),
        Cell::of(facts.app_id.as_ref()),
        Cell::of(facts.swagger_app_id.as_ref()),
        Cell::new(facts.origins.join(",")),
        Cell::new(item.reason().to_string()),
        Cell::new(human::duration(now - item.entry.created)),
    ];
    if wide {
        row.extend([Cell::of(facts.scope.as_ref()), Cell::new(item.message())]);
    }
    row
}

fn expiry(expires: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Cell {
    match expires {
        Some(at) if at <= now => Cell::coloured(human::distance(at, now), Colour::Red),
        other => Cell::of(other.map(|at| human::distance(at, now))),
    }
}

fn colour(item: &Item) -> Colour {
    let stalled = item.truth(ConditionType::Stalled) == Truth::True;
    match item.ready_truth() {
        _ if stalled || item.reason() == Reason::Invalid => Colour::Red,
        Truth::True => Colour::Green,
        Truth::False | Truth::Unknown => Colour::Yellow,
    }
}

fn live_row(live: &LiveGroup) -> Vec<Cell> {
    let group = &live.group;
    vec![
        Cell::new(&group.name),
        Cell::new(&live.resource_group),
        Cell::of(group.properties["location"].as_str()),
        Cell::new(group.provisioning.to_string()),
        Cell::of(group.ip),
        Cell::of(group.fqdn.as_ref()),
        Cell::new(if live.ours { "yes" } else { "no" }),
    ]
}
