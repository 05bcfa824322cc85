//! Secret values.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Subcommand;
use serde_json::json;

use super::print::{self, Failure};
use super::table::{self, Cell};
use super::{Exit, Output, Result, Session, terminal};
use crate::core::Secret;

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Command {
    /// Stores a value, read from standard input
    #[command(after_help = "\
Examples:
  printf %s \"$PASSWORD\" | aci-operator secret set db password
  aci-operator secret set my-cert tls.key < key.pem

On a terminal it asks, without showing what is typed. One line end at the end is not part of it.")]
    Set {
        /// Name of the secret
        #[arg(value_name = "SECRET")]
        name: String,
        /// Key in it
        key: String,
    },
    /// Lists names and keys, never values
    #[command(after_help = "\
Examples:
  aci-operator secret list
  aci-operator secret list -o json")]
    List,
    /// Deletes a secret, or one key of it
    #[command(after_help = "\
Examples:
  aci-operator secret delete db password
  aci-operator secret delete db")]
    Delete {
        /// Name of the secret
        #[arg(value_name = "SECRET")]
        name: String,
        /// Key in it; the whole secret without
        key: Option<String>,
    },
}

impl Session {
    pub(super) async fn secret(&self, command: &Command) -> Result {
        match command {
            Command::Set { name, key } => {
                let value = value(&format!("{name}/{key}: "))?;
                self.app.set_secret(name, key, &value).await?;
                self.screen.note(&format!("{name}/{key} stored"));
                Ok(Exit::Done)
            }
            Command::List => self.list_secrets().await,
            Command::Delete { name, key } => {
                let key = key.as_deref();
                let what = key.map_or_else(|| name.clone(), |key| format!("{name}/{key}"));
                if !self.app.delete_secret(name, key).await? {
                    return Err(Failure::Usage(format!("there is no secret {what}")));
                }
                self.screen.note(&format!("{what} deleted"));
                Ok(Exit::Done)
            }
        }
    }

    async fn list_secrets(&self) -> Result {
        let names = self.app.secret_names().await?;
        match self.output {
            Output::Json | Output::Yaml => self.print_document(&json!(names))?,
            Output::Name => {
                for name in names.keys() {
                    print::line(name)?;
                }
            }
            Output::Table | Output::Wide => {
                if names.is_empty() {
                    self.screen.note("No secrets found");
                }
                let row = |(name, keys): (&String, &Vec<String>)| {
                    vec![Cell::new(name), Cell::new(keys.join(","))]
                };
                let rows: Vec<_> = names.iter().map(row).collect();
                print::raw(table::render(self.screen, &["NAME", "KEYS"], &rows).as_bytes())?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The value on standard input, without the one line end that editors and `echo` put there.
fn value(prompt: &str) -> Result<Secret> {
    let mut text = String::new();
    if io::stdin().is_terminal() {
        print::prompt(prompt);
        let hidden = terminal::hide_input()?;
        io::stdin().read_line(&mut text)?;
        drop(hidden);
        print::prompt("\n");
    } else {
        io::stdin().read_to_string(&mut text)?;
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::Usage("standard input holds no value".to_owned()));
    }
    Ok(Secret::new(text))
}
