//! Flows behind NAT that we keep open — RFC 5626 §4.4.1 seen from the server, RFC 6263 §4.1.
//! One schedule per flow, however many contacts share it; the interval is jittered by a fifth
//! either way so that a building's phones do not fall into step.
use alloc::collections::BTreeMap;
use bitspath_core::limits::{BINDINGS_MAX, Full, KEEPALIVE};
use bitspath_core::{Duration, Entropy, Id, Instant, Purpose, Table};
use bitspath_sip::endpoint::Flow;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Watched {
    flow: Flow,
    /// Bindings on this flow.
    users: u32,
    /// Which keep-alive comes next, and when.
    n: u64,
    due: Instant,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Keepalives {
    table: Table<Watched>,
    flows: BTreeMap<Flow, Id<Watched>>,
}

impl Keepalives {
    pub fn new() -> Self {
        Keepalives { table: Table::new(BINDINGS_MAX), flows: BTreeMap::new() }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// One more binding on the flow; gives what to arm when it is the first.
    pub fn watch(
        &mut self,
        now: Instant,
        flow: Flow,
        entropy: &Entropy,
    ) -> Result<Option<(Id<Watched>, Instant)>, Full> {
        if let Some(watched) = self.flows.get(&flow).and_then(|id| self.table.get_mut(*id)) {
            watched.users += 1;
            return Ok(None);
        }
        let id = self.table.insert(Watched { flow, users: 1, n: 0, due: now })?;
        self.flows.insert(flow, id);
        Ok(self.later(now, id, entropy).map(|(_, due)| (id, due)))
    }

    /// One binding less; the last one ends the schedule.
    pub fn forget(&mut self, flow: Flow) {
        let Some(id) = self.flows.get(&flow).copied() else { return };
        let Some(watched) = self.table.get_mut(id) else { return };
        watched.users -= 1;
        if watched.users == 0 {
            self.table.remove(id);
            self.flows.remove(&flow);
        }
    }

    /// The flow and when its next keep-alive is due; `None` when it was forgotten.
    pub fn later(
        &mut self,
        now: Instant,
        id: Id<Watched>,
        entropy: &Entropy,
    ) -> Option<(Flow, Instant)> {
        let watched = self.table.get_mut(id)?;
        watched.n += 1;
        watched.due = now + interval(entropy, id, watched.n);
        Some((watched.flow, watched.due))
    }

    pub fn deadlines(&self) -> impl Iterator<Item = (Id<Watched>, Instant)> + '_ {
        self.table.iter().map(|(id, w)| (id, w.due))
    }
}

/// Four to six fifths of the nominal interval.
fn interval(entropy: &Entropy, id: Id<Watched>, n: u64) -> Duration {
    let fifth = KEEPALIVE / 5;
    let spread = entropy.below(Purpose::Jitter, id.as_u64(), n, 2 * fifth.as_millis() as u64 + 1);
    KEEPALIVE - fifth + Duration::from_millis(spread)
}
