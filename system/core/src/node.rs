//! The four verbs that drive a Node, and what a Node owes its hosts.
use crate::freeze::{Fault, Frozen};
use crate::time::{Instant, Now};
use alloc::collections::{BTreeMap, VecDeque};
use core::hash::Hash;
use serde::{Serialize, de::DeserializeOwned};

/// One deterministic state machine: a pure function of its input log.
pub trait Node: Sized {
    /// Plain data, so that a recording can hold it.
    type Input: Clone + Serialize + DeserializeOwned;
    /// Plain data with a stable hash, so that a replay can be compared.
    type Output: Clone + Hash;

    fn handle(&mut self, now: Now, input: Self::Input);
    /// Bounded work; may leave the next deadline at `now`.
    fn handle_timeout(&mut self, now: Now);
    /// The next deadline and its reason; `None` when nothing waits.
    fn poll_timeout(&self) -> Option<(Instant, &'static str)>;
    fn poll_output(&mut self) -> Option<Self::Output>;

    fn freeze(&self) -> Frozen;
    fn thaw(frozen: &Frozen) -> Result<Self, Fault>;
    /// What is alive now. At rest every entry but registrations is zero.
    fn audit(&self) -> Audit;
}

/// Counts of live objects by name; equal audits print equally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit(pub BTreeMap<&'static str, u64>);

impl Audit {
    pub fn set(&mut self, name: &'static str, count: usize) {
        self.0.insert(name, count as u64);
    }
    /// Entries that are not zero, leaving out those named in `allowed`.
    pub fn alive<'a>(
        &'a self,
        allowed: &'a [&str],
    ) -> impl Iterator<Item = (&'static str, u64)> + 'a {
        self.0.iter().filter(|(k, v)| **v > 0 && !allowed.contains(*k)).map(|(k, v)| (*k, *v))
    }
}

/// What a leaf machine asks of the parent that called it, drained in the same frame.
#[derive(Clone, Debug)]
pub struct Outbox<T>(VecDeque<T>);

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Outbox(VecDeque::new())
    }
}

impl<T> Outbox<T> {
    pub fn push(&mut self, act: T) {
        self.0.push_back(act);
    }
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.0.drain(..)
    }
}
