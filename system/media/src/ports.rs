//! The Node's leases of RTP ports: synchronous, so that an SDP can name a port at once (rule 7).
//! A port is leased to at most one stream, and rests in quarantine after it, so that late packets
//! cannot reach the next call. Spare ports are taken in the order of their freeing: longest rested
//! first. Brim: `peek` gives fewer than asked and the call is refused with 503.
//!
//!   Warm ─▶ spare ─lease▶ leased ─release▶ resting ─5 s▶ spare          lost (any) ─▶ forgotten
use crate::command::{PortNo, ShardId};
use alloc::collections::{BTreeMap, VecDeque};
use bitspath_core::{Audit, Duration, Instant, Now};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// The place in the queue of spare ports.
    Spare(u64),
    Leased,
    Resting,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ports {
    quarantine: Duration,
    known: BTreeMap<PortNo, (ShardId, State)>,
    spare: BTreeMap<(ShardId, u64), PortNo>,
    /// One quarantine for all, so the order of release is the order of coming back.
    resting: VecDeque<(Instant, PortNo)>,
    turn: u64,
    leased: usize,
}

impl Ports {
    pub fn new(quarantine: Duration) -> Self {
        Ports {
            quarantine,
            known: BTreeMap::new(),
            spare: BTreeMap::new(),
            resting: VecDeque::new(),
            turn: 0,
            leased: 0,
        }
    }

    /// For later releases; ports already resting keep their date.
    pub fn set_quarantine(&mut self, quarantine: Duration) {
        self.quarantine = quarantine;
    }

    /// The worker of `shard` has bound these; one already known is not taken twice.
    pub fn warm(&mut self, shard: ShardId, ports: &[PortNo]) {
        for port in ports {
            if !self.known.contains_key(port) {
                self.make_spare(shard, *port);
            }
        }
    }

    /// The shard with the most spare ports, for a new call; the lowest number of equal ones.
    pub fn best(&self) -> Option<ShardId> {
        let mut best: Option<(usize, ShardId)> = None;
        let mut next = self.spare.keys().next().map(|(s, _)| *s);
        while let Some(shard) = next {
            let n = self.spare.range((shard, 0)..=(shard, u64::MAX)).count();
            if best.is_none_or(|(most, _)| n > most) {
                best = Some((n, shard));
            }
            next = self.spare.range((shard, u64::MAX)..).next().map(|((s, _), _)| *s);
        }
        best.map(|(_, shard)| shard)
    }

    /// The ports that the next leases in `shard` should take, longest rested first.
    pub fn peek(&self, shard: ShardId) -> impl Iterator<Item = PortNo> + '_ {
        self.spare.range((shard, 0)..=(shard, u64::MAX)).map(|(_, port)| *port)
    }

    /// Takes a spare port; false when it is not spare.
    #[must_use]
    pub fn lease(&mut self, port: PortNo) -> bool {
        let Some((shard, state)) = self.known.get_mut(&port) else { return false };
        let State::Spare(turn) = *state else { return false };
        *state = State::Leased;
        let key = (*shard, turn);
        self.spare.remove(&key);
        self.leased += 1;
        true
    }

    /// Gives a leased port back: it rests. False when it was not leased.
    pub fn release(&mut self, now: Now, port: PortNo) -> bool {
        match self.known.get_mut(&port) {
            Some((_, state)) if *state == State::Leased => {
                *state = State::Resting;
                self.leased -= 1;
                self.resting.push_back((now.mono + self.quarantine, port));
                true
            }
            _ => false,
        }
    }

    /// The worker lost this port: it is never leased again unless it is warmed again.
    pub fn forget(&mut self, port: PortNo) {
        match self.known.remove(&port) {
            Some((shard, State::Spare(turn))) => {
                self.spare.remove(&(shard, turn));
            }
            Some((_, State::Leased)) => self.leased -= 1,
            Some((_, State::Resting)) => self.resting.retain(|(_, p)| *p != port),
            None => {}
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((due, port)) = self.resting.front().copied() {
            if due > now.mono {
                break;
            }
            self.resting.pop_front();
            if let Some((shard, State::Resting)) = self.known.get(&port).copied() {
                self.make_spare(shard, port);
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.resting.front().map(|(due, _)| (*due, "port quarantine"))
    }

    pub fn shard(&self, port: PortNo) -> Option<ShardId> {
        self.known.get(&port).map(|(shard, _)| *shard)
    }
    pub fn leased(&self) -> usize {
        self.leased
    }
    pub fn spare(&self) -> usize {
        self.spare.len()
    }
    pub fn resting(&self) -> usize {
        self.resting.len()
    }

    pub fn audit(&self, audit: &mut Audit) {
        audit.set("ports_leased", self.leased);
    }

    fn make_spare(&mut self, shard: ShardId, port: PortNo) {
        self.turn += 1;
        self.known.insert(port, (shard, State::Spare(self.turn)));
        self.spare.insert((shard, self.turn), port);
    }
}
