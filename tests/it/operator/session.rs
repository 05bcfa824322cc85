//! A sidecar's shell in memory: it knows the script that the operator types as far as it must.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use aci_operator::core::certificate::{Pair, key_matches};
use aci_operator::core::{Fault, Secret};
use aci_operator::ports::ExecSession;

use super::engine::Exec;
use super::world::World;

/// A session of `/bin/sh`.
pub(super) struct Session {
    world: Arc<World>,
    group: String,
    /// The run of the sidecar in which the shell lives.
    start: Option<DateTime<Utc>>,
    /// Bytes of input after which the connection is cut.
    budget: Option<u64>,
    typed: String,
    output: Vec<u8>,
    nonce: String,
    script: Option<String>,
    /// Base64 of the files received so far; the last one is under way.
    files: Vec<String>,
    ended: bool,
}

impl Session {
    pub(super) fn new(world: Arc<World>, group: String, budget: Option<u64>) -> Self {
        let start = world.state().engine.run(&group).and_then(super::engine::Run::sidecar_start);
        Self {
            world,
            group,
            start,
            budget,
            typed: String::new(),
            output: Vec::new(),
            nonce: String::new(),
            script: None,
            files: vec![String::new()],
            ended: false,
        }
    }

    fn type_in(&mut self, input: &[u8]) {
        if let Some(left) = &mut self.budget {
            let allowed = input.len().min(usize::try_from(*left).unwrap());
            *left -= allowed as u64;
            self.ended |= allowed < input.len();
        }
        let world = self.world.clone();
        let run = world.state().engine.run(&self.group).and_then(super::engine::Run::sidecar_start);
        self.ended |= run.is_none() || run != self.start;
        if !self.ended {
            self.typed.push_str(std::str::from_utf8(input).unwrap());
            self.read();
        }
    }

    /// Goes on as far as what was typed allows.
    fn read(&mut self) {
        if self.nonce.is_empty() {
            let Some((opening, rest)) = self.typed.split_once("\"$n quiet\"\n") else { return };
            let halves = opening.trim_start_matches("n=").split_once(" PS1=").unwrap().0;
            self.nonce = halves.replace("''", "");
            self.typed = rest.to_owned();
            match self.mode() {
                Exec::Missing(tool) => self.say(&format!("missing {tool}")),
                _ => self.say("quiet"),
            }
        }
        if self.script.is_none() {
            let Some((script, rest)) = self.typed.split_once("E\n)\"\n") else { return };
            let encoded: String = script.split_once("<<'E'\n").unwrap().1.split('\n').collect();
            self.script = Some(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap());
            self.typed = rest.to_owned();
            self.begin();
        }
        while let Some((line, rest)) = self.typed.split_once('\n') {
            let (line, rest) = (line.to_owned(), rest.to_owned());
            self.typed = rest;
            match line.as_str() {
                "exit" => self.ended = true,
                "+" => self.say("more"),
                "." => self.files.push(String::new()),
                text => self.files.last_mut().unwrap().push_str(text),
            }
        }
        let text = |file: &str| String::from_utf8(STANDARD.decode(file).unwrap()).unwrap();
        if let ("publish", [origins, _]) = (self.verb().as_str(), self.files.as_slice()) {
            let origins = text(origins);
            self.files = vec![String::new()];
            self.publish(origins);
        }
        if let [chain, key, _] = self.files.as_slice() {
            let (chain_pem, key_pem) = (text(chain), Secret::new(text(key)));
            let arguments = self.between("set -- ", "\ncase swap in");
            let generation = arguments.rsplit_once(' ').unwrap().1.parse().unwrap();
            self.files = vec![String::new()];
            self.switch(Pair { chain_pem, key_pem, generation });
        }
    }

    fn verb(&self) -> String {
        self.between("\ncase ", " in\ntrial)")
    }

    fn begin(&mut self) {
        match (self.verb().as_str(), self.mode()) {
            ("trial", Exec::Lossy) => self.tried("available lossy"),
            ("trial", _) => self.tried("available lossless"),
            ("swap" | "publish", _) => self.say("listening"),
            (other, _) => panic!("the script does {other}"),
        }
    }

    fn tried(&mut self, answer: &str) {
        self.world.note("TryExec");
        self.say(answer);
    }

    fn publish(&mut self, origins: String) {
        if self.mode() == Exec::Refuses {
            return self.say("refused cannot switch the origins");
        }
        let mut state = self.world.state();
        state.writes.push("TellOrigins");
        if let Some(run) = state.engine.run_mut(&self.group) {
            run.origins = Some(origins);
        }
        drop(state);
        self.say("published");
    }

    fn switch(&mut self, pair: Pair) {
        if self.mode() == Exec::Refuses || key_matches(&pair) != Ok(true) {
            return self.say("refused [emerg] key values mismatch");
        }
        let chain = STANDARD.encode(&pair.chain_pem);
        let answer = format!("live {} {chain}", pair.generation);
        let mut state = self.world.state();
        state.writes.push("SwapLeaf");
        if let Some(run) = state.engine.run_mut(&self.group) {
            run.live = Some(pair);
        }
        drop(state);
        self.say(&answer);
    }

    fn mode(&self) -> Exec {
        self.world.state().engine.exec
    }

    fn say(&mut self, answer: &str) {
        self.output.extend(format!("{} {answer}\r\n", self.nonce).bytes());
    }

    /// What stands in the script between two texts: from the last `before` that precedes `after`.
    fn between(&self, before: &str, after: &str) -> String {
        let script = self.script.as_deref().unwrap();
        let head = script.split_once(after).unwrap().0;
        head.rsplit_once(before).unwrap().1.to_owned()
    }
}

#[async_trait]
impl ExecSession for Session {
    async fn send(&mut self, input: &[u8]) -> Result<(), Fault> {
        let world = self.world.clone();
        world.gate.around(|| {
            self.type_in(input);
            Ok(())
        })
    }

    async fn receive(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let world = self.world.clone();
        let output = world.gate.around(|| Ok(std::mem::take(&mut self.output)))?;
        match output.is_empty() {
            false => Ok(Some(output)),
            true if self.ended => Ok(None),
            true => std::future::pending().await,
        }
    }
}
