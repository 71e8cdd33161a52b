//! Deadlines. [`Heap`]: exact, 4-ary, lazily cancelled by generation. [`Wheel`]: one-second ticks
//! for things that come by the hundred thousand (registrations) and may be up to 1 s late.
//! Order is (due, sequence): of two equal deadlines the one armed first fires first.
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::hash::Hash;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry<K> {
    due: Instant,
    seq: u64,
    key: K,
}

/// Exact deadlines, at most one per key. Arming a key again moves it; the stale entry stays in the
/// heap until it surfaces or until stale entries outnumber live ones, when the heap is rebuilt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize + Ord", deserialize = "K: Deserialize<'de> + Ord"))]
pub struct Heap<K: Copy + Ord> {
    heap: Vec<Entry<K>>,
    /// The live sequence number of each armed key.
    live: BTreeMap<K, u64>,
    seq: u64,
}

impl<K: Copy + Ord> Default for Heap<K> {
    fn default() -> Self {
        Heap { heap: Vec::new(), live: BTreeMap::new(), seq: 0 }
    }
}

impl<K: Copy + Ord> Heap<K> {
    /// Arms or moves the deadline of `key`.
    pub fn set(&mut self, key: K, due: Instant) {
        self.seq += 1;
        self.live.insert(key, self.seq);
        self.push(Entry { due, seq: self.seq, key });
        self.shed();
    }

    /// Disarms `key`; arming nothing is no error.
    pub fn cancel(&mut self, key: K) {
        if self.live.remove(&key).is_some() {
            self.shed();
        }
    }

    pub fn is_set(&self, key: K) -> bool {
        self.live.contains_key(&key)
    }

    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The next live deadline.
    pub fn next(&self) -> Option<(Instant, K)> {
        // The root is live whenever anything is: `shed` and `pop_due` keep it so.
        self.heap.first().map(|e| (e.due, e.key))
    }

    /// Takes the first key that is due at `now`, in the order (due, sequence).
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let first = *self.heap.first()?;
        if first.due > now {
            return None;
        }
        self.pop();
        self.live.remove(&first.key);
        self.shed();
        Some(first.key)
    }

    fn is_live(&self, e: &Entry<K>) -> bool {
        self.live.get(&e.key) == Some(&e.seq)
    }

    /// Drops stale entries at the root, and all of them when they outnumber the live.
    fn shed(&mut self) {
        if self.heap.len() > 2 * self.live.len() + 64 {
            let live = &self.live;
            self.heap.retain(|e| live.get(&e.key) == Some(&e.seq));
            self.heap.sort_unstable_by_key(|e| (e.due, e.seq));
        }
        while let Some(first) = self.heap.first() {
            if self.is_live(first) {
                break;
            }
            self.pop();
        }
    }

    fn push(&mut self, entry: Entry<K>) {
        self.heap.push(entry);
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 4;
            if self.before(at, parent) {
                self.heap.swap(at, parent);
                at = parent;
            } else {
                break;
            }
        }
    }

    fn pop(&mut self) {
        self.heap.swap_remove(0);
        let mut at = 0;
        loop {
            let first = 4 * at + 1;
            let last = (first + 4).min(self.heap.len());
            let Some(least) = (first..last).reduce(|a, b| if self.before(b, a) { b } else { a })
            else {
                break;
            };
            if !self.before(least, at) {
                break;
            }
            self.heap.swap(least, at);
            at = least;
        }
    }

    fn before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.heap[a], &self.heap[b]);
        (a.due, a.seq) < (b.due, b.seq)
    }
}

/// A wheel of one-second slots: cheap to arm, never early, at most one second late. Entries are
/// not cancelled; the owner looks whether the object still wants it (compare its own deadline).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wheel<K> {
    slots: VecDeque<VecDeque<K>>,
    /// The second of `slots[0]`.
    base: u64,
    len: usize,
}

impl<K: Copy + Hash> Default for Wheel<K> {
    fn default() -> Self {
        Wheel { slots: VecDeque::new(), base: 0, len: 0 }
    }
}

impl<K: Copy> Wheel<K> {
    /// The furthest second ahead that a slot is kept for; later deadlines come up early by a
    /// re-arm, which the owner's own comparison absorbs.
    pub const SPAN_S: u64 = 7200;

    pub fn set(&mut self, key: K, due: Instant) {
        let second = due.0.div_ceil(1_000_000_000);
        if self.len == 0 {
            self.slots.clear();
            self.base = second;
        }
        while second < self.base {
            self.slots.push_front(VecDeque::new());
            self.base -= 1;
        }
        let at = (second - self.base).min(Self::SPAN_S) as usize;
        while self.slots.len() <= at {
            self.slots.push_back(VecDeque::new());
        }
        self.slots[at].push_back(key);
        self.len += 1;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When the next slot with an entry comes due.
    pub fn next(&self) -> Option<Instant> {
        if self.len == 0 {
            return None;
        }
        let empty = self.slots.iter().take_while(|s| s.is_empty()).count() as u64;
        Some(Instant((self.base + empty) * 1_000_000_000))
    }

    /// Takes one entry whose slot is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        while self.len > 0 && self.base * 1_000_000_000 <= now.0 {
            let slot = self.slots.front_mut()?;
            if let Some(key) = slot.pop_front() {
                self.len -= 1;
                return Some(key);
            }
            self.slots.pop_front();
            self.base += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Model: a plain map of deadlines, searched in full.
        #[test]
        fn heap_fires_like_a_sorted_list(
            ops in proptest::collection::vec((0u8..3, 0u16..20, 0u64..50), 1..300),
        ) {
            let mut heap = Heap::default();
            let mut model: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
            for (seq, (op, key, t)) in ops.into_iter().enumerate() {
                match op {
                    0 => {
                        heap.set(key, Instant(t));
                        model.insert(key, (t, seq as u64));
                    }
                    1 => {
                        heap.cancel(key);
                        model.remove(&key);
                    }
                    _ => {
                        let first = model.iter().map(|(k, v)| (*v, *k)).min();
                        let want = first.filter(|((due, _), _)| *due <= t).map(|(_, k)| k);
                        prop_assert_eq!(heap.pop_due(Instant(t)), want);
                        want.map(|k| model.remove(&k));
                    }
                }
                let first = model.iter().map(|(k, v)| (*v, *k)).min();
                prop_assert_eq!(heap.next(), first.map(|((due, _), k)| (Instant(due), k)));
                prop_assert_eq!(heap.len(), model.len());
            }
        }

        #[test]
        fn wheel_is_never_early_and_at_most_a_second_late(
            dues in proptest::collection::vec(0u64..20_000_000_000, 1..100),
        ) {
            let mut wheel = Wheel::default();
            for (i, due) in dues.iter().enumerate() {
                wheel.set(i, Instant(*due));
            }
            let mut fired = 0;
            for tick in 0..=40u64 {
                let now = Instant(tick * 500_000_000);
                while let Some(i) = wheel.pop_due(now) {
                    fired += 1;
                    prop_assert!(dues[i] <= now.0);
                    prop_assert!(now.0 - dues[i] < 1_500_000_000);
                }
            }
            prop_assert_eq!(fired, dues.len());
            prop_assert!(wheel.is_empty() && wheel.next().is_none());
        }
    }
}
