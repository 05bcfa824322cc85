//! Reads what a sidecar's terminal says, and so leads a [`Dialogue`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Dialogue, Pair};
use crate::core::secret::Secret;

/// Bytes of output after which a session is given up: a dialogue needs a few thousand.
const LIMIT: usize = 256 * 1024;
/// Characters of a refusal that are kept.
const REFUSAL: usize = 500;

/// A dialogue under way. It does no I/O: its driver types what it says and shows it what comes back.
///
/// ```text
/// let mut output = Vec::new();
/// let outcome = loop {
///     match transcript.step(&output) {
///         Progress::Send(text) => { session.write(text.reveal()).await?; output.clear(); }
///         Progress::Wait => output = session.read().await?,
///         Progress::Done(outcome) => break outcome,
///     }
/// };
/// ```
#[derive(Debug)]
pub struct Transcript {
    dialogue: Dialogue,
    /// Exchanges whose text was handed out.
    sent: usize,
    /// Output not looked at yet.
    unread: Vec<u8>,
    /// Bytes of output so far.
    received: usize,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Type this, then step again, with no output.
    Send(Secret),
    /// Wait for output. The session's end here means that nothing is known.
    Wait,
    /// Type [`super::FAREWELL`] and close.
    Done(Outcome),
}

/// How a dialogue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A swap would work; without `lossless` this nginx (before 1.27.4) may lose requests by it.
    Available {
        /// Idle connections outlive a reload long enough.
        lossless: bool,
    },
    /// The live pair, read back.
    Live(Live),
    /// The user's containers find the new origins.
    Published,
    /// The image lacks this tool.
    Missing(String),
    /// The sidecar said no, and nothing else: nginx's own words, or what is wrong with the answer.
    Refused(String),
}

/// What nginx has been told to serve. Only a handshake shows that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The pair's generation.
    pub generation: i64,
    /// Its certificates.
    pub chain_pem: String,
}

impl Live {
    /// Whether this is `pair`.
    pub fn is(&self, pair: &Pair) -> bool {
        self.generation == pair.generation && self.chain_pem == pair.chain_pem
    }
}

impl Transcript {
    /// Begins `dialogue`.
    pub fn new(dialogue: Dialogue) -> Self {
        Self { dialogue, sent: 0, unread: Vec::new(), received: 0 }
    }

    /// Takes what the terminal said since the last step, in any portions, and says what to do.
    pub fn step(&mut self, output: &[u8]) -> Progress {
        self.received += output.len();
        if self.received > LIMIT {
            return refused(&format!("more than {LIMIT} bytes of output"));
        }
        self.unread.extend_from_slice(output);
        if self.sent == 0 {
            return self.say_next();
        }
        while let Some(line) = self.take_line() {
            let Some((word, rest)) = self.answer(&line) else { continue };
            if let Some(progress) = self.heard(&word, &rest) {
                return progress;
            }
        }
        Progress::Wait
    }

    fn heard(&mut self, word: &str, rest: &str) -> Option<Progress> {
        let expected = self.dialogue.exchanges.get(self.sent - 1)?.expect;
        match word {
            "missing" => Some(Progress::Done(Outcome::Missing(rest.to_owned()))),
            "refused" => Some(refused(rest)),
            _ if word != expected => None,
            _ if self.sent < self.dialogue.exchanges.len() => Some(self.say_next()),
            _ => Some(Progress::Done(outcome(word, rest))),
        }
    }

    fn say_next(&mut self) -> Progress {
        match self.dialogue.exchanges.get(self.sent) {
            Some(exchange) => {
                self.sent += 1;
                Progress::Send(exchange.send.clone())
            }
            None => refused("an empty dialogue"),
        }
    }

    /// The next whole line: an answer counts only once its end has been read.
    fn take_line(&mut self) -> Option<String> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.unread.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// The word after the nonce and what follows; a prompt or a terminal's control sequence may
    /// stand before.
    fn answer(&self, line: &str) -> Option<(String, String)> {
        let (_, answer) = line.split_once(&self.dialogue.nonce)?;
        let answer = answer.strip_prefix(' ')?.trim_end();
        let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        Some((word.to_owned(), rest.to_owned()))
    }
}

fn outcome(word: &str, rest: &str) -> Outcome {
    match word {
        "available" => Outcome::Available { lossless: rest == "lossless" },
        "published" => Outcome::Published,
        _ => match live(rest) {
            Some(live) => Outcome::Live(live),
            None => Outcome::Refused("an unreadable answer".to_owned()),
        },
    }
}

fn live(rest: &str) -> Option<Live> {
    let (generation, chain) = rest.split_once(' ')?;
    Some(Live {
        generation: generation.parse().ok()?,
        chain_pem: String::from_utf8(STANDARD.decode(chain).ok()?).ok()?,
    })
}

fn refused(text: &str) -> Progress {
    let text = text.chars().filter(|c| !c.is_control()).take(REFUSAL).collect();
    Progress::Done(Outcome::Refused(text))
}

#[cfg(test)]
mod tests {
    use super::super::{read_back, swap, trial};
    use super::*;

    const NONCE: u128 = 0xfeed;
    const SPELT: &str = "0000000000000000000000000000feed";

    fn pair() -> Pair {
        Pair { chain_pem: "CHAIN".to_owned(), key_pem: Secret::new("KEY"), generation: 42 }
    }

    /// A terminal that echoes what is typed until it is told not to, and answers each exchange.
    fn conversation(
        dialogue: Dialogue,
        answers: &[&str],
        portion: usize,
    ) -> (Outcome, Vec<Secret>) {
        let mut transcript = Transcript::new(dialogue);
        let (mut typed, mut answers) = (Vec::new(), answers.iter());
        let mut output: Vec<u8> = Vec::new();
        let mut shown: Vec<u8> = Vec::new();
        loop {
            match transcript.step(&shown) {
                Progress::Send(text) => {
                    if typed.is_empty() {
                        output.extend(text.reveal().replace('\n', "\r\n").bytes());
                    }
                    typed.push(text);
                    let answer = answers.next().unwrap().replace("NONCE", SPELT);
                    output.extend(answer.bytes());
                    shown.clear();
                }
                Progress::Wait => {
                    assert!(!output.is_empty(), "waits for ever");
                    shown = output.drain(..portion.min(output.len())).collect();
                }
                Progress::Done(outcome) => return (outcome, typed),
            }
        }
    }

    #[test]
    fn a_swap_in_portions_of_any_size() {
        let answers = [
            "\x1b[?2004h# NONCE quiet\r\n",
            "> > NONCE listening\r\n",
            "NONCE live 42 Q0hBSU4=\r\n",
        ];
        for portion in [1, 2, 3, 7, 64, 10_000] {
            let (outcome, typed) = conversation(swap(&pair(), NONCE), &answers, portion);
            let Outcome::Live(live) = outcome else { panic!("{outcome:?}") };
            assert!(live.is(&pair()));
            assert_eq!(typed.len(), 3);
        }
    }

    #[test]
    fn each_ending() {
        let ends = |dialogue, answers: &[&str]| conversation(dialogue, answers, 5).0;
        let quiet = "NONCE quiet\r\n";
        assert_eq!(
            ends(trial(NONCE), &[quiet, "NONCE available lossless\r\n"]),
            Outcome::Available { lossless: true }
        );
        assert_eq!(
            ends(trial(NONCE), &[quiet, "NONCE available lossy\r\n"]),
            Outcome::Available { lossless: false }
        );
        assert_eq!(
            ends(trial(NONCE), &["sh: stty: not found\r\nNONCE missing stty\r\nNONCE quiet\r\n"]),
            Outcome::Missing("stty".to_owned())
        );
        assert_eq!(
            ends(swap(&pair(), NONCE), &[quiet, "NONCE refused [emerg]\x07 bad\r\n"]),
            Outcome::Refused("[emerg] bad".to_owned())
        );
        assert_eq!(
            ends(read_back(NONCE), &[quiet, "NONCE live x y\r\n"]),
            Outcome::Refused("an unreadable answer".to_owned())
        );
    }

    #[test]
    fn an_answer_without_its_end_is_none_yet() {
        let mut transcript = Transcript::new(trial(NONCE));
        assert!(matches!(transcript.step(b""), Progress::Send(_)));
        assert_eq!(transcript.step(format!("{SPELT} missing no").as_bytes()), Progress::Wait);
        assert_eq!(transcript.step(b"hup\n"), Progress::Done(Outcome::Missing("nohup".to_owned())));
    }

    #[test]
    fn an_answer_out_of_turn_is_not_heard() {
        let mut transcript = Transcript::new(trial(NONCE));
        transcript.step(b"");
        assert_eq!(
            transcript.step(format!("{SPELT} available lossless\n").as_bytes()),
            Progress::Wait
        );
    }

    #[test]
    fn endless_output_is_given_up() {
        let mut transcript = Transcript::new(trial(NONCE));
        transcript.step(b"");
        let chatter = vec![b'x'; LIMIT];
        assert_eq!(transcript.step(&chatter), Progress::Wait);
        assert!(matches!(transcript.step(b"x"), Progress::Done(Outcome::Refused(_))));
    }
}
