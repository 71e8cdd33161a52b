//! One direction between two hosts and what may happen to a datagram on it.
//! Every fault is a keyed decision and is kept as data; a replay applies only the kept ones.
//! Without `reorder` a link is first in, first out.  Missing: bandwidth.
use crate::mix::{Draw, chance, mix, within};
use bitspath_core::Instant;
use std::collections::{BTreeMap, VecDeque};

/// Chances in a million and ranges in nanoseconds; all zero is a perfect link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub loss: u32,
    pub duplicate: u32,
    pub reorder: u32,
    pub corrupt: u32,
    pub mangle: u32,
    /// Added to every packet, drawn anew for each.
    pub delay: (u64, u64),
    /// Datagrams with more octets than this vanish; 0 is no bound.
    pub mtu: u32,
}

/// What happened to the n-th datagram of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Drop,
    /// The checksum failed: to SIP that is a loss.
    Corrupt,
    TooBig,
    Duplicate(u64),
    /// Held back, so that later ones overtake it.
    Reorder(u64),
    Delay(u64),
    Mangle(u64),
}

/// A fault with its place: replay and the shrinker work on a list of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected {
    pub link: u32,
    pub n: u64,
    pub fault: Fault,
}

#[derive(Clone, Debug, Default)]
pub struct Link {
    pub rates: Rates,
    /// Delay of a healthy packet.
    pub base: u64,
    pub jitter: u64,
    /// Partitioned: nothing passes.
    pub cut: bool,
    /// Packets offered so far.
    pub(crate) n: u64,
    pub(crate) last: Instant,
    /// Faults that a ladder asked for, one for each of the next packets.
    pub forced: VecDeque<Fault>,
}

/// When copies arrive, and whether they are mangled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    pub arrivals: [Option<Instant>; 2],
    pub mangle: Option<u64>,
}

/// The faults of a run: drawn and recorded, or played back.
#[derive(Debug, Default)]
pub struct Ledger {
    pub injected: Vec<Injected>,
    pub replay: Option<BTreeMap<(u32, u64), Vec<Fault>>>,
}

impl Ledger {
    /// A ledger that applies these faults and draws none.
    pub fn replaying(list: &[Injected]) -> Ledger {
        let mut map: BTreeMap<(u32, u64), Vec<Fault>> = BTreeMap::new();
        for f in list {
            map.entry((f.link, f.n)).or_default().push(f.fault);
        }
        Ledger { injected: Vec::new(), replay: Some(map) }
    }
}

impl Link {
    /// Decides over one datagram of `len` octets offered at `now`.
    pub fn pass(
        &mut self,
        seed: u64,
        id: u32,
        now: Instant,
        len: usize,
        ledger: &mut Ledger,
    ) -> Fate {
        let n = self.n;
        self.n += 1;
        if self.cut {
            return Fate::default();
        }
        let jitter = match self.jitter {
            0 => 0,
            j => within(mix(seed, u64::from(id), n, Draw::Jitter), 0, j),
        };
        let healthy = Instant(now.0 + self.base + jitter);
        let asked = self.forced.pop_front();
        if asked.is_none() && self.rates == Rates::default() && ledger.replay.is_none() {
            self.last = self.last.max(healthy);
            return Fate { arrivals: [Some(self.last), None], mangle: None };
        }
        let first = ledger.injected.len();
        match &ledger.replay {
            Some(map) => {
                let faults = map.get(&(id, n)).map(Vec::as_slice).unwrap_or_default();
                ledger.injected.extend(faults.iter().map(|f| Injected { link: id, n, fault: *f }));
            }
            None => self.draw(seed, id, n, len, &mut ledger.injected),
        }
        if let Some(fault) = asked {
            // Part of the ladder, not of the drawn list: applied, never recorded.
            return self.apply(healthy, &[Injected { link: id, n, fault }]);
        }
        self.apply(healthy, ledger.injected.get(first..).unwrap_or_default())
    }

    fn draw(&self, seed: u64, id: u32, n: u64, len: usize, out: &mut Vec<Injected>) {
        let draw = |what| mix(seed, u64::from(id), n, what);
        let mut push = |fault| out.push(Injected { link: id, n, fault });
        let rates = &self.rates;
        if chance(draw(Draw::Loss), rates.loss) {
            return push(Fault::Drop);
        }
        if chance(draw(Draw::Corrupt), rates.corrupt) {
            return push(Fault::Corrupt);
        }
        if rates.mtu > 0 && len > rates.mtu as usize {
            return push(Fault::TooBig);
        }
        if rates.delay.1 > 0 {
            push(Fault::Delay(within(draw(Draw::Delay), rates.delay.0, rates.delay.1)));
        }
        if chance(draw(Draw::Duplicate), rates.duplicate) {
            push(Fault::Duplicate(within(draw(Draw::DuplicateDelay), 0, 40_000_000)));
        }
        if chance(draw(Draw::Reorder), rates.reorder) {
            push(Fault::Reorder(within(draw(Draw::ReorderDelay), 1_000_000, 120_000_000)));
        }
        if chance(draw(Draw::Mangle), rates.mangle) {
            push(Fault::Mangle(draw(Draw::MangleWhere)));
        }
    }

    fn apply(&mut self, healthy: Instant, faults: &[Injected]) -> Fate {
        let mut fate = Fate::default();
        let (mut at, mut second, mut late) = (healthy, None, 0);
        for f in faults {
            match f.fault {
                Fault::Drop | Fault::Corrupt | Fault::TooBig => return Fate::default(),
                Fault::Delay(ns) => at.0 += ns,
                Fault::Duplicate(ns) => second = Some(ns),
                Fault::Reorder(ns) => late = ns,
                Fault::Mangle(word) => fate.mangle = Some(word),
            }
        }
        if late == 0 {
            self.last = self.last.max(at);
            at = self.last;
        } else {
            at.0 += late;
        }
        fate.arrivals = [Some(at), second.map(|ns| Instant(at.0 + ns))];
        fate
    }

    /// Faults end; the link carries again.
    pub fn heal(&mut self) {
        self.rates = Rates::default();
        self.forced.clear();
        self.cut = false;
    }
}

/// Changes, cuts or repeats octets: a hostile middlebox. The same word gives the same damage.
pub fn mangle(bytes: &[u8], word: u64) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if out.is_empty() {
        return out;
    }
    let at = (word >> 8) as usize % out.len();
    match word % 4 {
        0 => out.truncate(at),
        1 => {
            let tail = out.split_off(at);
            out.extend_from_slice(tail.get(..tail.len().min(9)).unwrap_or_default());
            out.extend_from_slice(&tail);
        }
        2 => {
            out.remove(at);
        }
        _ => {
            if let Some(octet) = out.get_mut(at) {
                *octet ^= ((word >> 40) as u8) | 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_link_is_first_in_first_out_and_records_nothing() {
        let (mut link, mut ledger) =
            (Link { base: 5, jitter: 100, ..Link::default() }, Ledger::default());
        let mut last = Instant(0);
        for n in 0..200 {
            let at = link.pass(1, 0, Instant(n), 10, &mut ledger).arrivals[0].unwrap();
            assert!(at >= last && at.0 >= n + 5);
            last = at;
        }
        assert!(ledger.injected.is_empty());
    }

    #[test]
    fn the_recorded_list_alone_repeats_the_run_and_one_fault_less_moves_no_other() {
        let rates =
            Rates { loss: 100_000, duplicate: 100_000, reorder: 50_000, ..Rates::default() };
        let run = |ledger: &mut Ledger, rates| {
            let mut link = Link { rates, base: 1000, ..Link::default() };
            (0..300)
                .map(|n| link.pass(9, 3, Instant(n * 10_000_000), 500, ledger).arrivals)
                .collect::<Vec<_>>()
        };
        let mut drawn = Ledger::default();
        let first = run(&mut drawn, rates);
        assert!(drawn.injected.len() > 30);
        let mut replay = Ledger::replaying(&drawn.injected);
        assert_eq!(first, run(&mut replay, Rates::default()));
        assert_eq!(replay.injected, drawn.injected);
        let mut less = Ledger::replaying(&drawn.injected[1..]);
        let third = run(&mut less, Rates::default());
        assert_eq!(third.iter().zip(&first).filter(|(a, b)| a != b).count(), 1);
    }
}
