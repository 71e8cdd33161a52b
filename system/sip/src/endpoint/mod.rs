//! The endpoint: messages to transactions, transactions to messages — RFC 3261 §17, §18.
//! Owns: matching, the table of transactions, stateless answers, routing of responses, the
//! connections ([`crate::stream`]).
//! Does not know: dialogs, tenants, sockets, DNS; who may do what.
//! Missing: a change to TCP for requests over 1,300 octets (§18.1.1; a registered phone is reached
//! only by its flow), a new connection for a response whose own has died (§18.2.2).
//!
//! ```text
//!   NetIn ─▶ receive ─▶ matching ─▶ Machine (Figures 5-8) ─▶ Act ─▶ Event ─▶ user
//!   NetOut ◀─ transmit ◀──────────────┘   ▲                                   │
//!                                         └── respond, request, cancel ◀──────┘
//! ```
//! Law: one mutation, then drain `poll_output` and `poll_event`, then read `poll_timeout`.
mod compose;
pub mod counters;
pub mod event;
pub mod flow;
mod receive;
pub mod table;
#[cfg(test)]
mod tests;
mod verbs;

pub use crate::transaction::{FailWhy, Timers};
pub use counters::Counters;
pub use event::{Event, Owner, TxnId};
pub use flow::Flow;

use crate::stream::Streams;
use crate::transaction::key::{Key, Keys};
use crate::transaction::{Act, Machine};
use alloc::collections::{BTreeSet, VecDeque};
use bitspath_core::limits::TRANSACTIONS_MAX;
use bitspath_core::timers::Heap;
use bitspath_core::{Audit, Entropy, Index, Instant, NetOut, Now, Outbox, Purpose, Table};
use serde::{Deserialize, Serialize};
use table::{Path, Transaction};

/// Deadlines fired by one `handle_timeout`; what is left stays due.
const TIMEOUTS_PER_CALL: usize = 256;

/// Everything below the dialogs. Plain data: freezes and thaws as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    entropy: Entropy,
    node: u8,
    timers: Timers,
    keys: Keys,
    table: Table<Transaction>,
    matching: Index<Key, TxnId>,
    merged: Index<Key, TxnId>,
    deadlines: Heap<TxnId>,
    paths: BTreeSet<(Path, TxnId)>,
    failing: VecDeque<TxnId>,
    streams: Streams,
    /// How many branches have been minted.
    minted: u64,
    out: VecDeque<NetOut>,
    events: VecDeque<Event>,
    counters: Counters,
    /// Scratch, empty between calls.
    #[serde(skip)]
    acts: Outbox<Act>,
}

impl Endpoint {
    pub fn new(entropy: Entropy, node_index: u8, timers: Timers) -> Self {
        let draw = |n| entropy.at(Purpose::TableKey, 0x0065_7074, n);
        Endpoint {
            keys: Keys::new(&entropy),
            matching: Index::new(TRANSACTIONS_MAX, (draw(0), draw(1))),
            merged: Index::new(TRANSACTIONS_MAX, (draw(2), draw(3))),
            entropy,
            node: node_index,
            timers,
            table: Table::new(TRANSACTIONS_MAX),
            deadlines: Heap::default(),
            paths: BTreeSet::new(),
            failing: VecDeque::new(),
            streams: Streams::default(),
            minted: 0,
            out: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            acts: Outbox::default(),
        }
    }

    /// Fires what is due, at most `TIMEOUTS_PER_CALL` transactions.
    pub fn handle_timeout(&mut self, now: Now) {
        for _ in 0..TIMEOUTS_PER_CALL {
            let Some(id) = self.deadlines.pop_due(now.mono) else { break };
            self.fire(now, id);
        }
        self.settle(now);
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (due, id) = self.deadlines.next()?;
        let timer = self.table.get(id).and_then(|t| t.machine.timers().next());
        Some((due, timer.map_or("transaction", |(_, timer)| timer.reason())))
    }

    pub fn poll_output(&mut self) -> Option<NetOut> {
        self.out.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// What is alive; at rest all but connections is zero.
    pub fn audit(&self, audit: &mut Audit) {
        let count = |test: fn(&Machine) -> bool| {
            self.table.iter().filter(|(_, t)| test(&t.machine)).count()
        };
        audit.set("client transactions", count(Machine::is_client));
        audit.set("server transactions", count(|m| !m.is_client()));
        audit.set("transaction keys", self.matching.len());
        audit.set("merged keys", self.merged.len());
        audit.set("transaction timers", self.deadlines.len());
        audit.set("transaction paths", self.paths.len());
        audit.set("connections", self.streams.len());
        audit.set("endpoint outputs", self.out.len() + self.events.len());
    }

    /// Live and lingering transactions, without a walk.
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    pub fn connections(&self) -> usize {
        self.streams.len()
    }
}
