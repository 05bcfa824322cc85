//! What is said to a sidecar over an exec session.
//!
//! ACI's exec starts one process without arguments on a pseudo-terminal, so it is `/bin/sh`, and
//! everything is typed. The terminal's echo goes off first; the script `exec.sh` follows as base64,
//! and the pair only when that script has said that it listens. Answers are lines that begin with the
//! nonce, and the nonce never stands in what is typed, so no echo can be taken for an answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{LIVE_PATH, ORIGINS_PATH};
use crate::core::certificate::Pair;
use crate::core::secret::Secret;

const EXEC_SH: &str = include_str!("exec.sh");
/// Characters a line: far below what a terminal in canonical mode (4096) and the shell of
/// Alpine (1024) take.
const LINE: usize = 76;
/// Lines of a pair sent before the script says that it has read them: 1.2 kB, where a terminal
/// holds 4 kB and may drop the rest.
const LINES: usize = 16;

/// What to type when the outcome is known, before the session is closed.
pub const FAREWELL: &str = "exit\n";

/// A conversation with `/bin/sh` in the sidecar; [`super::Transcript`] leads it.
#[derive(Clone, Debug)]
pub struct Dialogue {
    /// What every answer begins with.
    pub nonce: String,
    /// In order.
    pub exchanges: Vec<Exchange>,
}

/// One thing said, and what must come back before the next is said.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// To type. In a swap some of these are the private key.
    pub send: Secret,
    /// The word after the nonce that ends the wait.
    pub expect: &'static str,
}

/// Puts `pair` in place of the live one: written beside, checked by nginx, switched by one rename,
/// reloaded, read back. Cut anywhere, the old pair stays whole. `nonce` is random and used once.
pub fn swap(pair: &Pair, nonce: u128) -> Dialogue {
    let key = pair.key_pem.reveal();
    let arguments = format!("{} {} {}", pair.chain_pem.len(), key.len(), pair.generation);
    let mut dialogue = run("swap", &arguments, nonce, "listening");
    hand_over(&mut dialogue, &[&pair.chain_pem, key], "live");
    dialogue
}

/// Puts `origins`, lines of text, in place of those that the user's containers read.
pub fn publish(origins: &str, nonce: u128) -> Dialogue {
    let mut dialogue = run("publish", &origins.len().to_string(), nonce, "listening");
    hand_over(&mut dialogue, &[origins], "published");
    dialogue
}

/// Sends files to a script that listens, each ended by a lone dot.
fn hand_over(dialogue: &mut Dialogue, files: &[&str], expect: &'static str) {
    let lines: String = files.iter().map(|file| encoded(file) + ".\n").collect();
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let mut parts = lines.chunks(LINES).peekable();
    while let Some(part) = parts.next() {
        let (mark, expect) = if parts.peek().is_some() { ("+\n", "more") } else { ("", expect) };
        dialogue.exchanges.push(Exchange { send: Secret::new(part.concat() + mark), expect });
    }
}

/// Changes nothing and shows that a swap would work: shell, tools, a writable directory.
pub fn trial(nonce: u128) -> Dialogue {
    run("trial", "", nonce, "available")
}

/// Changes nothing and tells the live pair's generation and chain.
pub fn read_back(nonce: u128) -> Dialogue {
    run("read-back", "", nonce, "live")
}

/// Silences the terminal, then runs `exec.sh` for `verb` with `arguments`.
fn run(verb: &str, arguments: &str, nonce: u128, expect: &'static str) -> Dialogue {
    let nonce = format!("{nonce:032x}");
    let (head, tail) = nonce.split_at(16);
    // Plain `$n` lines, typed while the terminal may still echo: the shell joins the two halves.
    let opening = format!(
        "n={head}''{tail} PS1= PS2=\n\
         stty -echo || echo \"$n missing stty\"\n\
         base64 -d </dev/null || echo \"$n missing base64\"\n\
         echo \"$n quiet\"\n"
    );
    let script: String = EXEC_SH
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    let script = script
        .replace("@VERB@", verb)
        .replace("@ARGUMENTS@", arguments)
        .replace("@NONCE@", &nonce)
        .replace("@STATE@", LIVE_PATH)
        .replace("@ORIGINS@", ORIGINS_PATH);
    let script = format!("sh -c \"$(base64 -d <<'E'\n{}E\n)\"\n", encoded(&script));
    let exchanges = vec![
        Exchange { send: Secret::new(opening), expect: "quiet" },
        Exchange { send: Secret::new(script), expect },
    ];
    Dialogue { nonce, exchanges }
}

/// `text` as base64 lines.
fn encoded(text: &str) -> String {
    let mut lines = STANDARD.encode(text);
    let breaks = (1..=lines.len().saturating_sub(1) / LINE).rev();
    for line in breaks {
        lines.insert(line * LINE, '\n');
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair { chain_pem: "c".repeat(4000), key_pem: Secret::new("k".repeat(1700)), generation: 7 }
    }

    fn typed(dialogue: &Dialogue) -> Vec<&str> {
        dialogue.exchanges.iter().map(|exchange| exchange.send.reveal()).collect()
    }

    #[test]
    fn lines_are_short_and_exchanges_small() {
        for dialogue in [swap(&pair(), 1), trial(2), read_back(u128::MAX)] {
            for text in typed(&dialogue) {
                assert!(text.ends_with('\n') && text.len() < 4096, "{}", text.len());
                assert!(text.lines().all(|line| line.len() < 512));
            }
        }
    }

    #[test]
    fn the_nonce_is_never_typed() {
        let dialogue = swap(&pair(), 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert!(!typed(&dialogue).concat().contains(&dialogue.nonce));
    }

    #[test]
    fn the_key_follows_the_silence() {
        let dialogue = swap(&pair(), 1);
        let words: Vec<_> = dialogue.exchanges.iter().map(|exchange| exchange.expect).collect();
        assert_eq!(words[..2], ["quiet", "listening"]);
        assert_eq!(words.last(), Some(&"live"));
        assert!(words[2..words.len() - 1].iter().all(|word| *word == "more"));
        let key = encoded(pair().key_pem.reveal());
        let line = key.lines().next().unwrap();
        assert!(!typed(&dialogue)[..2].concat().contains(line));
        assert!(typed(&dialogue)[2..].concat().contains(line));
    }

    #[test]
    fn the_script_is_filled_in() {
        let dialogue = swap(&pair(), 1);
        let script = typed(&dialogue)[1].replace('\n', "");
        let script = script.strip_prefix("sh -c \"$(base64 -d <<'E'").unwrap();
        let script = STANDARD.decode(script.strip_suffix("E)\"").unwrap()).unwrap();
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("set -- 4000 1700 7\n"));
        assert!(!script.contains('@'), "{script}");
    }

    #[test]
    fn base64_is_broken_into_lines() {
        assert_eq!(encoded("abc"), "YWJj\n");
        assert_eq!(encoded(""), "\n");
        for length in [56, 57, 58, 114, 115] {
            let lines = encoded(&"x".repeat(length));
            assert!(lines.lines().all(|line| (1..=LINE).contains(&line.len())), "{length}");
            assert_eq!(STANDARD.decode(lines.replace('\n', "")).unwrap().len(), length);
        }
    }

    #[test]
    fn debug_shows_nothing_typed() {
        assert!(!format!("{:?}", swap(&pair(), 1)).contains("stty"));
    }
}
