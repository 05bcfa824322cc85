//! What is believed of blobs, and until when. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{FRESH, MANY, OURS, OURS_ALONE, room};
use crate::blobs::Version;
use crate::store::Found;

/// All beliefs.
#[derive(Default)]
pub(super) struct Known {
    slots: BTreeMap<String, Slot>,
    /// When each room was listed last.
    rooms: BTreeMap<String, Instant>,
    /// Since when, and how often, blobs of a room were looked at one by one.
    looks: BTreeMap<String, (Instant, usize)>,
    /// The home is leased to us.
    ours: bool,
    /// Counts what was set: an answer to an older question does not replace it.
    serial: u64,
    /// Answers to questions from before this count for nothing.
    epoch: u64,
}

struct Slot {
    serial: u64,
    state: State,
}

/// What is believed of one blob.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Nothing, whatever was believed before.
    Unknown,
    Absent,
    /// That it is there.
    Listed(Version),
    Read(Version, Vec<u8>),
}

impl Known {
    /// The home is ours from now on, and nothing is known of it.
    pub(super) fn begin(&mut self) {
        self.forget(true);
    }

    /// The home is no longer ours: others write what we knew.
    pub(super) fn end(&mut self) {
        self.forget(false);
    }

    fn forget(&mut self, ours: bool) {
        let epoch = self.serial + 1;
        *self = Self { ours, serial: epoch, epoch, ..Self::default() };
    }

    /// Changes whenever everything was forgotten.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// To be kept from before a question until its answer.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether only we write in a room.
    pub(super) fn is_ours(&self, room: &str) -> bool {
        self.ours && OURS.contains(&room)
    }

    /// Whether the versions in a room are known.
    pub(super) fn is_current(&self, room: &str, now: Instant) -> bool {
        let listed = self.rooms.get(room);
        listed.is_some_and(|listed| self.is_ours(room) || now < *listed + FRESH)
    }

    /// Whether a room was ever listed.
    pub(super) fn has(&self, room: &str) -> bool {
        self.rooms.contains_key(room)
    }

    /// What counts of a blob; `None` where nothing does.
    pub(super) fn current(&self, name: &str, now: Instant) -> Option<State> {
        let state = self.slots.get(name).map(|slot| slot.state.clone());
        match room(name) {
            Some(room) if self.is_current(room, now) => Some(state.unwrap_or(State::Absent)),
            None if self.ours && OURS_ALONE.contains(&name) => {
                state.filter(|state| matches!(state, State::Read(..)))
            }
            _ => None,
        }
    }

    /// What was read of a blob last, whether or not it counts.
    pub(super) fn read(&self, name: &str) -> Option<Found> {
        match &self.slots.get(name)?.state {
            State::Read(version, content) => {
                Some(Found { content: content.clone(), version: version.clone() })
            }
            _ => None,
        }
    }

    /// Counts a look at a blob of a room; whether there were many of late.
    pub(super) fn is_read_often(&mut self, room: &str, now: Instant) -> bool {
        let (since, looks) = self.looks.entry(room.to_owned()).or_insert((now, 0));
        if now >= *since + FRESH {
            (*since, *looks) = (now, 0);
        }
        *looks += 1;
        *looks > MANY
    }

    /// A write of ours.
    pub(super) fn set(&mut self, name: &str, state: State) {
        self.serial += 1;
        self.slots.insert(name.to_owned(), Slot { serial: self.serial, state });
    }

    /// The answer to a look that was asked for at `began`.
    pub(super) fn found(&mut self, name: &str, found: Option<&Found>, began: u64) {
        let newer = self.slots.get(name).is_some_and(|slot| slot.serial > began);
        if newer || began < self.epoch {
            return;
        }
        let state = found.map_or(State::Absent, |found| {
            State::Read(found.version.clone(), found.content.clone())
        });
        self.slots.insert(name.to_owned(), Slot { serial: began, state });
    }

    /// The answer to a LIST of a room that was asked for at `began`; whether it told news.
    pub(super) fn listed(
        &mut self,
        room: &str,
        versions: &BTreeMap<String, Version>,
        began: u64,
        asked: Instant,
    ) -> bool {
        if began < self.epoch {
            return true;
        }
        let first = !self.rooms.contains_key(room);
        let before: Vec<String> = self.below(room).map(|(name, _)| name.clone()).collect();
        let names: BTreeSet<&String> = before.iter().chain(versions.keys()).collect();
        let mut news = false;
        for name in names {
            let slot = self.slots.get(name);
            if slot.is_some_and(|slot| slot.serial > began) {
                news = true;
                continue;
            }
            let known = match slot.map(|slot| &slot.state) {
                Some(State::Listed(version) | State::Read(version, _)) => Some(version),
                _ => None,
            };
            let now = versions.get(name);
            if known == now && known.is_some() {
                continue;
            }
            news |= slot.is_none_or(|slot| slot.state != State::Absent) || now.is_some();
            match now {
                Some(version) => {
                    let slot = Slot { serial: began, state: State::Listed(version.clone()) };
                    self.slots.insert(name.clone(), slot);
                }
                None => drop(self.slots.remove(name)),
            }
        }
        self.rooms.insert(room.to_owned(), asked);
        news || first
    }

    /// The names below `prefix` of what is there and was not read.
    pub(super) fn unread(&self, prefix: &str) -> Vec<String> {
        let unread = |slot: &Slot| matches!(slot.state, State::Listed(_) | State::Unknown);
        let names = self.below(prefix).filter(|(_, slot)| unread(slot));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// The contents below `prefix`.
    pub(super) fn contents(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let read = |(name, slot): (&String, &Slot)| match &slot.state {
            State::Read(_, content) => Some((name.clone(), content.clone())),
            _ => None,
        };
        self.below(prefix).filter_map(read).collect()
    }

    /// The next segments below `prefix`, sorted.
    pub(super) fn segments(&self, prefix: &str) -> Vec<String> {
        let there = self.below(prefix).filter(|(_, slot)| slot.state != State::Absent);
        let rest = there.filter_map(|(name, _)| name.get(prefix.len() + 1..));
        let next = rest.filter_map(|rest| rest.split('/').next().map(str::to_owned));
        next.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn below(&self, prefix: &str) -> impl Iterator<Item = (&String, &Slot)> {
        let prefix = format!("{prefix}/");
        self.slots.range(prefix.clone()..).take_while(move |(name, _)| name.starts_with(&prefix))
    }
}
