//! How an installation is shown.

use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::app::install::{Action, News, Removal, Sort, Step};
use crate::cli::print::{self, Colour, Screen, plain};
use crate::cli::progress::spinner;
use crate::cli::table::{self, Cell};
use crate::core::install::{cost, rights};

/// The plan, for people.
pub(super) fn plan(screen: Screen, steps: &[Step]) -> std::io::Result<()> {
    let rows: Vec<_> = steps.iter().map(row).collect();
    print::raw(table::render(screen, &["ACTION", "KIND", "NAME", "FOR"], &rows).as_bytes())?;
    print::line("")?;
    print::line("Rights of the operator in the named resource groups:")?;
    for action in rights::ACTIONS {
        print::line(&format!("  {action}"))?;
    }
    print::line(&format!(
        "Cost: about {:.0} a month for the container group and below 2 for storage ({}, {}).",
        cost::group_month(),
        cost::BASIS,
        cost::DATED
    ))?;
    for page in cost::PAGES {
        print::line(&format!("  {page}"))?;
    }
    Ok(())
}

fn row(step: &Step) -> Vec<Cell> {
    let colour = match step.action {
        Action::Create => Colour::Green,
        Action::Change(_) => Colour::Yellow,
        Action::Keep => Colour::None,
        Action::Refuse => Colour::Red,
    };
    let word = word(&step.action);
    let purpose = match &step.action {
        Action::Change(places) => format!("{}: {}", step.resource.purpose, places.join(", ")),
        _ => step.resource.purpose.clone(),
    };
    let name = match step.resource.sort {
        // The name of an assignment tells nobody anything.
        Sort::Assignment => "",
        _ => step.resource.id.rsplit('/').next().unwrap_or_default(),
    };
    let kind = kind(step.resource.sort);
    vec![Cell::coloured(word, colour), Cell::new(kind), Cell::new(name), Cell::new(purpose)]
}

fn word(action: &Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Change(_) => "change",
        Action::Keep => "keep",
        Action::Refuse => "refused",
    }
}

fn kind(sort: Sort) -> &'static str {
    match sort {
        Sort::ResourceGroup => "resource group",
        Sort::Identity => "managed identity",
        Sort::Role => "role",
        Sort::Assignment => "role assignment",
        Sort::Account => "storage account",
        Sort::AccountSetting => "setting",
        Sort::BlobContainer => "blob container",
        Sort::Group => "container group",
    }
}

/// The plan, for programs.
pub(super) fn plan_document(steps: &[Step], home: Option<&str>) -> Value {
    let resources = steps.iter().map(|step| {
        let changes = match &step.action {
            Action::Change(places) => places.as_slice(),
            _ => &[],
        };
        json!({
            "action": word(&step.action),
            "changes": changes,
            "kind": kind(step.resource.sort),
            "id": step.resource.id,
            "apiVersion": step.resource.api_version,
            "for": step.resource.purpose,
            "body": step.resource.body,
        })
    });
    json!({
        "home": home,
        "resources": resources.collect::<Vec<_>>(),
        "rights": rights::ACTIONS,
        "monthlyCost": {
            "containerGroup": (cost::group_month() * 100.0).round() / 100.0,
            "basis": cost::BASIS,
            "dated": cost::DATED,
            "pages": cost::PAGES,
        },
    })
}

/// What would be taken back, for programs.
pub(super) fn removal_document(removal: &Removal) -> Value {
    let deleted = removal.deleted.iter().map(|(id, _, what)| json!({"id": id, "what": what}));
    json!({
        "deleted": deleted.collect::<Vec<_>>(),
        "containerGroupsThatStay": removal.groups,
        "resourceGroupsThatStay": removal.occupied,
    })
}

/// What would be taken back, for people.
pub(super) fn removal(screen: Screen, removal: &Removal) -> std::io::Result<()> {
    let rows: Vec<_> = removal
        .deleted
        .iter()
        .map(|(id, _, what)| {
            vec![Cell::coloured("delete", Colour::Red), Cell::new(what), Cell::new(id)]
        })
        .collect();
    print::raw(table::render(screen, &["ACTION", "WHAT", "ID"], &rows).as_bytes())?;
    if rows.is_empty() {
        screen.note("nothing of this installation is there");
    }
    for group in &removal.groups {
        screen.warn(&format!("{} stays, and nobody looks after it any more", plain(group)));
    }
    for group in &removal.occupied {
        screen.warn(&format!("{} stays: it holds something of somebody else's", plain(group)));
    }
    Ok(())
}

/// Progress: one line that changes on a terminal, a line for each news elsewhere.
pub(super) struct Work {
    screen: Screen,
    bar: Option<ProgressBar>,
    said: String,
}

impl Work {
    pub(super) fn new(screen: Screen) -> Self {
        Self { screen, bar: None, said: String::new() }
    }

    pub(super) fn tell(&mut self, news: &News) {
        let text = match news {
            News::Doing(what) => {
                if self.screen.draws() {
                    self.bar = Some(spinner(&plain(what)));
                    return;
                }
                format!("{what} …")
            }
            News::Waiting(what) => what.clone(),
            News::Done(what) => format!("✓ {what}"),
            News::Kept(what) => format!("= {what}"),
        };
        let text = plain(&text);
        match (&self.bar, news) {
            (Some(bar), News::Waiting(_)) => bar.set_message(text),
            (bar, _) => {
                // What is waited for is told once, not at each look.
                if *news == News::Waiting(self.said.clone()) {
                    return;
                }
                bar.iter().for_each(ProgressBar::finish_and_clear);
                self.bar = None;
                self.screen.note(&text);
            }
        }
        if let News::Waiting(what) = news {
            self.said.clone_from(what);
        }
    }
}
