//! Output of containers, and commands in them.

use std::io::{self, IsTerminal as _, Read as _};
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use super::print::{self, Failure, plain};
use super::{Exit, Result, Session, name, quote, terminal};
use crate::app::container::{ExecSession, news};
use crate::app::view::Kind;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator logs app-with-ssl
  aci-operator logs -f app-with-ssl -c my-api --tail 20

Azure keeps the output of the present run of a container, and not all of it.")]
pub(super) struct LogsArgs {
    /// Name of the container group
    #[arg(value_name = "NAME")]
    group: String,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// Name of the container; the manifest's where it has one
    #[arg(short, long)]
    container: Option<String>,
    /// The newest lines only
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// Put the time before each line
    #[arg(long)]
    timestamps: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator exec app-with-ssl -- /bin/sh
  aci-operator exec app-with-ssl -c my-api -- ls -l /tmp
  echo 'nginx -t' | aci-operator exec app-with-ssl -c aci-operator-tls -- /bin/sh

On a terminal it is interactive; otherwise standard input is handed over and its end ends the command.
Azure starts one process without arguments: a command with arguments is given to /bin/sh. Azure does
not tell how a command ended, so the exit code says whether there was a session.")]
pub(super) struct ExecArgs {
    /// Name of the container group
    #[arg(value_name = "NAME")]
    group: String,
    /// Name of the container; the manifest's where it has one
    #[arg(short, long)]
    container: Option<String>,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How often `logs -f` asks: Azure has no stream of them.
const POLL: Duration = Duration::from_secs(2);

impl Session {
    pub(super) async fn logs(&self, args: &LogsArgs) -> Result {
        let container = self.app.container(&group(&args.group)?, args.container.clone()).await?;
        if !args.follow {
            let text = container.logs(args.tail, args.timestamps).await?;
            print::raw(text.as_bytes())?;
            return Ok(Exit::Done);
        }
        let mut shown = container.logs(None, args.timestamps).await?;
        print::raw(newest(&shown, args.tail).as_bytes())?;
        loop {
            tokio::time::sleep(POLL).await;
            let now = container.logs(None, args.timestamps).await?;
            print::raw(news(&shown, &now).as_bytes())?;
            shown = now;
        }
    }

    pub(super) async fn exec(&self, args: &ExecArgs) -> Result {
        let container = self.app.container(&group(&args.group)?, args.container.clone()).await?;
        let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
        let (command, first) = plan(&args.command, interactive);
        let mut session = container.exec(&command, terminal::size()).await?;
        let _raw = if interactive { Some(terminal::raw_mode()?) } else { None };
        let mut output = match first {
            Some(line) => {
                session.send(line.as_bytes()).await?;
                Output::Waits(Vec::new())
            }
            None => Output::Flows,
        };
        self.talk(&mut *session, &mut output).await
    }

    async fn talk(&self, session: &mut dyn ExecSession, output: &mut Output) -> Result {
        let mut input = Some(read_input());
        // Keys are the command's only once it runs.
        loop {
            let open = input.is_some() && matches!(output, Output::Flows);
            tokio::select! {
                piece = session.receive() => match piece? {
                    Some(piece) => print::raw(&output.pass(piece))?,
                    None => return output.end(),
                },
                typed = next(&mut input), if open => {
                    let bytes = typed.unwrap_or_else(|| {
                        input = None;
                        END_OF_INPUT.to_vec()
                    });
                    session.send(&bytes).await?;
                }
            }
        }
    }
}

/// The last `lines` lines, or all.
fn newest(text: &str, lines: Option<u32>) -> &str {
    let Some(lines) = lines.and_then(|lines| usize::try_from(lines).ok()) else { return text };
    let ends = text.trim_end_matches('\n').rmatch_indices('\n');
    match lines.checked_sub(1).map(|before| ends.skip(before).map(|(at, _)| at + 1).next()) {
        None => "",
        Some(start) => &text[start.unwrap_or_default()..],
    }
}

/// The name alone: only container groups have containers.
fn group(word: &str) -> Result<String> {
    let key = name::object(&[word.to_owned()])?;
    if key.kind == Kind::ContainerGroup.as_str() {
        return Ok(key.name);
    }
    Err(Failure::Usage(format!("{key} is no container group")))
}

async fn next(input: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    input.as_mut()?.recv().await
}

/// What a terminal sends for Ctrl-D on an empty line.
const END_OF_INPUT: &[u8] = b"\x04";
/// What the shell prints when the command begins: the two halves are put together there, so that the
/// echo of the line is not taken for it.
const MARKER: (&str, &str) = ("aci-operator-", "begins");

/// The process to start, and the line to send it first. A pipe wants no echo, no prompt and no
/// carriage returns.
fn plan(command: &[String], interactive: bool) -> (String, Option<String>) {
    match command {
        [only] if interactive => (only.clone(), None),
        words => {
            let words: Vec<_> = words.iter().map(|word| quote::shell(word)).collect();
            let quiet = if interactive { "" } else { "stty -echo -onlcr; " };
            let (head, tail) = MARKER;
            let line = format!("{quiet}printf '%s%s\\n' {head} {tail}; exec {}\n", words.join(" "));
            ("/bin/sh".to_owned(), Some(line))
        }
    }
}

/// What comes from the session.
enum Output {
    /// The shell's own words, up to the marker.
    Waits(Vec<u8>),
    /// The command's.
    Flows,
}

impl Output {
    /// What of a piece is the command's.
    fn pass(&mut self, piece: Vec<u8>) -> Vec<u8> {
        let Self::Waits(held) = self else { return piece };
        held.extend(piece);
        let marker = format!("{}{}", MARKER.0, MARKER.1);
        let found = held.windows(marker.len()).position(|window| window == marker.as_bytes());
        let line_end = found.and_then(|at| {
            let rest = held.get(at..)?;
            Some(at + rest.iter().position(|&byte| byte == b'\n')? + 1)
        });
        let Some(end) = line_end else { return Vec::new() };
        let rest = held.split_off(end);
        *self = Self::Flows;
        rest
    }

    /// The session is over: well, if the command began.
    fn end(&self) -> Result {
        match self {
            Self::Flows => Ok(Exit::Done),
            Self::Waits(held) => {
                let said = plain(&String::from_utf8_lossy(held));
                Err(Failure::Usage(format!("the command did not start: {}", said.trim())))
            }
        }
    }
}

/// Standard input, piece by piece. It is read on a thread of its own: nothing else can wait for it
/// without keeping the process when it ends.
fn read_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = io::stdin().read(&mut buffer) {
            if count == 0 || sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_arguments_is_the_shells() {
        let words: Vec<_> = ["ls", "-l", "it's"].map(str::to_owned).into();
        let (command, line) = plan(&words, false);
        assert_eq!(command, "/bin/sh");
        let line = line.unwrap();
        assert!(line.starts_with("stty -echo") && line.ends_with("exec 'ls' '-l' 'it'\\''s'\n"));
        assert!(!line.contains("aci-operator-begins"), "the echo would be taken for the marker");
        assert_eq!(plan(&words[..1], true), ("ls".to_owned(), None));
    }

    #[test]
    fn the_newest_lines() {
        for (lines, want) in
            [(None, "a\nb\nc\n"), (Some(0), ""), (Some(2), "b\nc\n"), (Some(9), "a\nb\nc\n")]
        {
            assert_eq!(newest("a\nb\nc\n", lines), want, "{lines:?}");
        }
    }

    #[test]
    fn only_the_commands_output_passes() {
        let mut output = Output::Waits(Vec::new());
        assert_eq!(
            output.pass(b"$ printf '%s%s\\n' aci-operator- begins\r\naci-oper".to_vec()),
            b""
        );
        assert_eq!(output.pass(b"ator-begins\r".to_vec()), b"");
        assert_eq!(output.pass(b"\nhello\n".to_vec()), b"hello\n");
        assert_eq!(output.pass(b"more".to_vec()), b"more");
    }
}
