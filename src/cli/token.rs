//! Access tokens for a protected API, and its Swagger page.

use std::cell::Cell;
use std::process::Stdio;

use clap::Args;

use super::{Exit, Result, Session, print};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  curl -H \"Authorization: Bearer $(aci-operator token mon-api)\" https://mon-dns.com/me
  aci-operator token mon-api --user gustav

On local Azure a test user is signed in at once; on Azure a code is shown to sign in with, and the
registration must allow public client flows.")]
pub(super) struct TokenArgs {
    /// Name of the app registration
    name: String,
    /// Who signs in
    #[arg(long)]
    user: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator open app-with-ssl
  aci-operator open app-with-ssl --print")]
pub(super) struct OpenArgs {
    /// Name of the container group
    name: String,
    /// Only print the address
    #[arg(long)]
    print: bool,
}

impl Session {
    pub(super) async fn token(&self, args: &TokenArgs) -> Result {
        let asked = Cell::new(false);
        let ask = |message: &str| {
            if !asked.replace(true) {
                print::complain(message);
            }
        };
        let token = self.app.token(&args.name, args.user.as_deref(), ask).await?;
        print::line(token.reveal())?;
        Ok(Exit::Done)
    }

    pub(super) async fn open(&self, args: &OpenArgs) -> Result {
        let address = self.app.swagger(&args.name).await?;
        print::line(&address)?;
        if args.print {
            return Ok(Exit::Done);
        }
        let mut browser = tokio::process::Command::new("xdg-open");
        let browser = browser.arg(&address).stdout(Stdio::null()).stderr(Stdio::null());
        match browser.status().await {
            Ok(status) if status.success() => Ok(Exit::Done),
            _ => {
                self.screen.warn("xdg-open opens no browser here: open the address yourself");
                Ok(Exit::NotReached)
            }
        }
    }
}
