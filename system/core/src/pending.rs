//! What this Node waits for from outside: every entry bounded in number, with a deadline and its
//! reason (rule 9). Nothing waits for ever.
use crate::limits::Full;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize + Ord, Why: Serialize",
    deserialize = "K: Deserialize<'de> + Ord, Why: Deserialize<'de>"
))]
pub struct Pending<K: Ord, Why> {
    entries: BTreeMap<K, (Instant, Why)>,
    due: BTreeMap<Instant, alloc::vec::Vec<K>>,
    capacity: u32,
}

impl<K: Ord + Copy, Why> Pending<K, Why> {
    pub const fn new(capacity: u32) -> Self {
        Pending { entries: BTreeMap::new(), due: BTreeMap::new(), capacity }
    }

    /// Begins to wait for `key` until `due`; refused at the brim.
    pub fn wait(&mut self, key: K, due: Instant, why: Why) -> Result<(), Full> {
        if self.entries.len() >= self.capacity as usize {
            return Err(Full);
        }
        if self.entries.insert(key, (due, why)).is_some() {
            crate::bug!("already waiting under this key");
        }
        self.due.entry(due).or_default().push(key);
        Ok(())
    }

    /// The answer came: gives back why we waited, or `None` when it came too late.
    pub fn done(&mut self, key: K) -> Option<Why> {
        let (due, why) = self.entries.remove(&key)?;
        if let Some(keys) = self.due.get_mut(&due) {
            keys.retain(|k| *k != key);
            if keys.is_empty() {
                self.due.remove(&due);
            }
        }
        Some(why)
    }

    pub fn next(&self) -> Option<Instant> {
        self.due.keys().next().copied()
    }

    /// Takes one entry whose deadline has passed.
    pub fn pop_due(&mut self, now: Instant) -> Option<(K, Why)> {
        let (due, keys) = self.due.iter().next()?;
        if *due > now {
            return None;
        }
        let key = *keys.first()?;
        self.done(key).map(|why| (key, why))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_time_wins_and_a_late_one_finds_nothing() {
        let mut p = Pending::new(2);
        p.wait(1u32, Instant(10), "store").expect("room");
        p.wait(2, Instant(10), "dns").expect("room");
        assert_eq!(p.wait(3, Instant(5), "dns"), Err(Full));
        assert_eq!(p.done(1), Some("store"));
        assert_eq!(p.pop_due(Instant(9)), None);
        assert_eq!(p.pop_due(Instant(10)), Some((2, "dns")));
        assert_eq!((p.done(2), p.next(), p.len()), (None, None, 0));
    }
}
