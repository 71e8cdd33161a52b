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
    /// Spare ports of each shard.
    counts: BTreeMap<ShardId, usize>,
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
            counts: BTreeMap::new(),
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
        let most = self.counts.iter().filter(|(_, n)| **n > 0);
        most.max_by_key(|(shard, n)| (**n, core::cmp::Reverse(**shard))).map(|(shard, _)| *shard)
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
        let shard = *shard;
        self.take_spare(shard, turn);
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
            Some((shard, State::Spare(turn))) => self.take_spare(shard, turn),
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
        *self.counts.entry(shard).or_insert(0) += 1;
    }

    fn take_spare(&mut self, shard: ShardId, turn: u64) {
        self.spare.remove(&(shard, turn));
        if let Some(count) = self.counts.get_mut(&shard) {
            *count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use bitspath_core::freeze::{freeze, thaw};
    use proptest::prelude::*;

    fn at(s: u64) -> Now {
        Now { mono: Instant(s * 1_000_000_000), ..Now::default() }
    }

    proptest! {
        /// Model: for every port, what is known of it and until when it rests.
        #[test]
        fn a_port_has_one_tenant_and_rests_before_the_next(
            steps in proptest::collection::vec((0u8..6, 0u16..12), 1..300),
        ) {
            let rest = Duration::from_secs(5);
            let mut ports = Ports::new(rest);
            let mut leased: BTreeMap<PortNo, bool> = BTreeMap::new();
            let mut free_from: BTreeMap<PortNo, u64> = BTreeMap::new();
            for (second, (op, n)) in steps.into_iter().enumerate() {
                let (now, second) = (at(second as u64), second as u64);
                ports.handle_timeout(now);
                let port = PortNo(10_000 + 2 * n);
                let shard = ShardId((n % 3) as u8);
                match op {
                    0 => {
                        ports.warm(shard, &[port]);
                        leased.entry(port).or_insert(false);
                        free_from.entry(port).or_insert(0);
                    }
                    1 | 2 => {
                        let may = leased.get(&port) == Some(&false) && free_from[&port] <= second;
                        prop_assert_eq!(ports.lease(port), may);
                        if may { leased.insert(port, true); }
                    }
                    3 | 4 => {
                        let was = leased.get(&port) == Some(&true);
                        prop_assert_eq!(ports.release(now, port), was);
                        if was {
                            leased.insert(port, false);
                            free_from.insert(port, second + 5);
                        }
                    }
                    _ if n == 11 => {
                        ports.forget(port);
                        leased.remove(&port);
                        free_from.remove(&port);
                    }
                    _ => {}
                }
                ports = thaw(&freeze(&ports).0).expect("plain data");
                prop_assert_eq!(ports.leased(), leased.values().filter(|l| **l).count());
                prop_assert_eq!(ports.leased() + ports.spare() + ports.resting(), leased.len());
                let best = ports.best();
                prop_assert_eq!(best.is_some(), ports.spare() > 0);
                for shard in 0..3 {
                    let peeked: Vec<PortNo> = ports.peek(ShardId(shard)).collect();
                    let best = best.map_or(0, |b| ports.peek(b).count());
                    prop_assert!(peeked.len() <= best);
                    prop_assert!(peeked.iter().all(|p| ports.shard(*p) == Some(ShardId(shard))));
                }
            }
            ports.handle_timeout(at(10_000));
            prop_assert_eq!(ports.poll_timeout(), None);
        }
    }

    #[test]
    fn the_port_that_rested_longest_is_leased_first() {
        let mut ports = Ports::new(Duration::from_secs(5));
        ports.warm(ShardId(0), &[PortNo(10), PortNo(12), PortNo(14)]);
        assert!(ports.lease(PortNo(10)) && ports.lease(PortNo(12)));
        assert!(ports.release(at(1), PortNo(12)) && ports.release(at(2), PortNo(10)));
        assert_eq!(ports.poll_timeout(), Some((at(6).mono, "port quarantine")));
        ports.handle_timeout(at(7));
        let order: Vec<u16> = ports.peek(ShardId(0)).map(|p| p.0).collect();
        assert_eq!(order, [14, 12, 10]);
    }
}
