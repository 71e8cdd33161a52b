//! The location service — RFC 3261 §10: which contacts an address of record has, and over which
//! flow each is reached. A binding over a stream dies with its connection; one over UDP is written
//! down and survives a restart.
//! Owns: the tables, expiry (a 1 s wheel), the schedule of keep-alives.
//! Does not know: requests (`registrar`), which numbers exist (`directory`).
use crate::binding::{Binding, Change, What};
use crate::draft::{Draft, Entry};
use crate::keepalive::{Keepalives, Watched};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::limits::{BINDINGS_MAX, Full};
use bitspath_core::net::ConnId;
use bitspath_core::node::Audit;
use bitspath_core::store::{TenantId, Write};
use bitspath_core::timers::Wheel;
use bitspath_core::{Duration, Entropy, Id, Index, Instant, Now, Purpose, Table};
use bitspath_sip::endpoint::Flow;
use serde::{Deserialize, Serialize};

/// Deadlines served in one `handle_timeout`; the rest stays due.
const BUDGET: usize = 1024;
/// Expiries are armed at most this far ahead and then again, well inside the wheel's span.
const ARM_MAX: Duration = Duration::from_secs(3000);
/// Wheel entries beyond twice the live ones before the wheel is made anew.
const SLACK: usize = 1024;

const _: () = assert!(2 * ARM_MAX.as_secs() < Wheel::<u8>::SPAN_S);

/// What a deadline or a closed connection asks of the Node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Act {
    /// Send CRLFCRLF on this flow, RFC 5626 §4.4.1.
    Keepalive(Flow),
    Write(Write),
    Changed(Change),
}

#[derive(Clone, Copy, Debug, Hash, Serialize, Deserialize)]
enum Due {
    Expiry(Id<Kept>),
    Keepalive(Id<Watched>),
}

/// A binding and its places in the tables.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    binding: Binding,
    aor: Id<Aor>,
    seq: u64,
    armed: Instant,
    watched: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Aor {
    tenant: TenantId,
    user: String,
    bindings: Vec<Id<Kept>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Location {
    entropy: Entropy,
    capacity: u32,
    bindings: Table<Kept>,
    aors: Table<Aor>,
    by_user: Index<(TenantId, String), Id<Aor>>,
    by_conn: BTreeSet<(ConnId, Id<Kept>)>,
    keepalives: Keepalives,
    wheel: Wheel<Due>,
    /// The wheel's next deadline, kept because finding it is a walk.
    wake: Option<Instant>,
    /// Names of tenants as they stand in the rows.
    names: BTreeMap<TenantId, String>,
    seq: u64,
    out: VecDeque<Act>,
}

/// What a commit changed.
#[derive(Default)]
pub(crate) struct Done {
    pub writes: Vec<Write>,
    pub changes: Vec<Change>,
}

impl Location {
    pub fn new(entropy: Entropy, capacity: u32) -> Self {
        let capacity = capacity.min(BINDINGS_MAX);
        let key = |n| entropy.at(Purpose::TableKey, 0x6c6f_6361_7469_6f6e, n);
        Location {
            capacity,
            bindings: Table::new(capacity),
            aors: Table::new(capacity),
            by_user: Index::new(capacity, (key(0), key(1))),
            by_conn: BTreeSet::new(),
            keepalives: Keepalives::new(),
            wheel: Wheel::default(),
            wake: None,
            names: BTreeMap::new(),
            seq: 0,
            out: VecDeque::new(),
            entropy,
        }
    }

    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// By q, and of equal ones the last refreshed first (RFC 3261 §16.6 takes them in this order).
    pub fn lookup(&self, tenant: TenantId, user: &str) -> Vec<&Binding> {
        let mut list: Vec<&Kept> = self.kept(tenant, user).map(|(_, k)| k).collect();
        list.sort_by_key(|k| core::cmp::Reverse((k.binding.q, k.seq)));
        list.into_iter().map(|k| &k.binding).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (TenantId, &str, &Binding)> {
        self.bindings.iter().filter_map(|(_, k)| {
            self.aors.get(k.aor).map(|aor| (aor.tenant, aor.user.as_str(), &k.binding))
        })
    }

    fn kept(&self, tenant: TenantId, user: &str) -> impl Iterator<Item = (Id<Kept>, &Kept)> {
        let aor = self.by_user.get(&(tenant, String::from(user)));
        let ids = aor.and_then(|id| self.aors.get(*id)).map(|a| a.bindings.as_slice());
        let ids = ids.unwrap_or_default().iter();
        ids.filter_map(|id| self.bindings.get(*id).map(|k| (*id, k)))
    }

    /// The live bindings of an address of record in the order of their first registration. Those
    /// that the wheel has yet to take are marked to go.
    pub fn draft(&self, now: Instant, tenant: TenantId, user: &str) -> Draft {
        let mut draft = Draft { entries: Vec::new(), gone: Vec::new(), seq: self.seq };
        for (id, kept) in self.kept(tenant, user) {
            if kept.binding.is_live(now) {
                let (binding, seq) = (kept.binding.clone(), kept.seq);
                let watched = kept.watched;
                draft.entries.push(Entry { id: Some(id), binding, seq, touched: false, watched });
            } else {
                draft.gone.push((id, What::Expired));
            }
        }
        draft
    }

    /// Makes the draft true, or refuses it untouched when there is no room.
    pub fn commit(
        &mut self,
        now: Now,
        (tenant, name): (TenantId, &str),
        user: &str,
        draft: &mut Draft,
    ) -> Result<Done, Full> {
        let new = draft.entries.iter().filter(|e| e.id.is_none()).count();
        if self.bindings.len() + new > self.capacity as usize + draft.gone.len() {
            return Err(Full);
        }
        self.names.entry(tenant).or_insert_with(|| String::from(name));
        let mut done = Done::default();
        for (id, what) in draft.gone.drain(..) {
            self.remove(id, what, &mut done);
        }
        for entry in draft.entries.iter_mut().filter(|e| e.touched) {
            let what = if entry.id.is_some() { What::Refreshed } else { What::Added };
            match entry.id {
                Some(id) => self.replace(now.mono, id, entry, &mut done),
                None => entry.id = Some(self.insert(now.mono, tenant, user, entry)?),
            }
            let Binding { uri, flow, .. } = &entry.binding;
            let (user, uri, flow) = (String::from(user), uri.clone(), *flow);
            done.changes.push(Change { tenant, user, uri, flow, what });
            if entry.binding.is_stored() {
                let user = done.changes.last().map_or("", |c| c.user.as_str());
                done.writes.push(Write::PutBinding(entry.binding.row(now, name, user)));
            }
        }
        self.seq = draft.seq;
        Ok(done)
    }

    fn insert(
        &mut self,
        now: Instant,
        tenant: TenantId,
        user: &str,
        entry: &Entry,
    ) -> Result<Id<Kept>, Full> {
        let aor = self.aor(tenant, user)?;
        let Entry { binding, seq, watched, .. } = entry;
        let (binding, seq, watched) = (binding.clone(), *seq, *watched);
        let armed = Instant(u64::MAX);
        let id = self.bindings.insert(Kept { binding, aor, seq, armed, watched })?;
        if let Some(aor) = self.aors.get_mut(aor) {
            aor.bindings.push(id);
        }
        self.attach(now, id);
        Ok(id)
    }

    fn replace(&mut self, now: Instant, id: Id<Kept>, entry: &Entry, done: &mut Done) {
        self.detach(id);
        let Some(kept) = self.bindings.get_mut(id) else { return };
        let old = core::mem::replace(&mut kept.binding, entry.binding.clone());
        (kept.seq, kept.watched) = (entry.seq, entry.watched);
        let is_overwritten =
            entry.binding.is_stored() && entry.binding.contact_value == old.contact_value;
        if old.is_stored() && !is_overwritten {
            done.writes.extend(self.delete(id, old.contact_value));
        }
        self.attach(now, id);
    }

    fn remove(&mut self, id: Id<Kept>, what: What, done: &mut Done) {
        self.detach(id);
        let Some(Kept { binding, aor: at, .. }) = self.bindings.get(id).cloned() else { return };
        if binding.is_stored() {
            done.writes.extend(self.delete(id, binding.contact_value));
        }
        self.bindings.remove(id);
        let Some(aor) = self.aors.get_mut(at) else { return };
        aor.bindings.retain(|b| *b != id);
        let (tenant, user) = (aor.tenant, aor.user.clone());
        if aor.bindings.is_empty() {
            self.aors.remove(at);
            self.by_user.remove(&(tenant, user.clone()));
        }
        let Binding { uri, flow, .. } = binding;
        done.changes.push(Change { tenant, user, uri, flow, what });
    }

    fn delete(&self, id: Id<Kept>, contact: String) -> Option<Write> {
        let aor = self.aors.get(self.bindings.get(id)?.aor)?;
        let tenant = self.names.get(&aor.tenant)?.clone();
        Some(Write::DeleteBinding { tenant, user: aor.user.clone(), contact })
    }

    fn aor(&mut self, tenant: TenantId, user: &str) -> Result<Id<Aor>, Full> {
        let key = (tenant, String::from(user));
        if let Some(id) = self.by_user.get(&key) {
            return Ok(*id);
        }
        let user = String::from(user);
        let id = self.aors.insert(Aor { tenant, user, bindings: Vec::new() })?;
        self.by_user.insert(key, id)?;
        Ok(id)
    }

    /// Enters a binding into what hangs on its flow and its expiry.
    fn attach(&mut self, now: Instant, id: Id<Kept>) {
        let Some(Kept { binding, armed, watched, .. }) = self.bindings.get(id) else { return };
        let (flow, expires, armed, watched) = (binding.flow, binding.expires, *armed, *watched);
        if let Some(conn) = flow.conn {
            self.by_conn.insert((conn, id));
        }
        if expires < armed {
            self.arm_expiry(now, id, expires);
        }
        if watched && let Ok(Some((w, due))) = self.keepalives.watch(now, flow, &self.entropy) {
            self.arm(Due::Keepalive(w), due);
        }
    }

    fn detach(&mut self, id: Id<Kept>) {
        let Some(kept) = self.bindings.get(id) else { return };
        let flow = kept.binding.flow;
        if kept.watched {
            self.keepalives.forget(flow);
        }
        if let Some(conn) = flow.conn {
            self.by_conn.remove(&(conn, id));
        }
    }

    fn arm_expiry(&mut self, now: Instant, id: Id<Kept>, expires: Instant) {
        let due = expires.min(now + ARM_MAX);
        if let Some(kept) = self.bindings.get_mut(id) {
            kept.armed = due;
            self.arm(Due::Expiry(id), due);
        }
    }

    fn arm(&mut self, key: Due, due: Instant) {
        self.wheel.set(key, due);
        let tick = Instant(due.0.div_ceil(1_000_000_000).saturating_mul(1_000_000_000));
        self.wake = Some(self.wake.map_or(tick, |w| w.min(tick)));
        let live = self.bindings.len() + self.keepalives.len();
        if self.wheel.len() > 2 * live + SLACK {
            // Entries of bindings that are gone: the wheel cannot cancel, so it is made anew.
            self.wheel = Wheel::default();
            for (id, kept) in self.bindings.iter() {
                self.wheel.set(Due::Expiry(id), kept.armed);
            }
            for (id, due) in self.keepalives.deadlines() {
                self.wheel.set(Due::Keepalive(id), due);
            }
        }
    }

    pub fn conn_closed(&mut self, conn: ConnId) -> Vec<Change> {
        let mut done = Done::default();
        let first = (conn, Id::from_u64(0));
        let of_conn = |set: &BTreeSet<(ConnId, Id<Kept>)>| {
            set.range(first..).next().filter(|(c, _)| *c == conn).copied()
        };
        while let Some((_, id)) = of_conn(&self.by_conn) {
            self.remove(id, What::Lost, &mut done);
        }
        done.changes
    }

    /// Removes the bindings of addresses of record that fail the test.
    pub fn retain(&mut self, keep: impl Fn(TenantId, &str) -> bool) -> Done {
        let mut done = Done::default();
        let failing = self.aors.iter().filter(|(_, aor)| !keep(aor.tenant, &aor.user));
        let ids: Vec<_> = failing.flat_map(|(_, aor)| aor.bindings.clone()).collect();
        for id in ids {
            self.remove(id, What::Removed, &mut done);
        }
        done
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..BUDGET {
            match self.wheel.pop_due(now) {
                Some(Due::Expiry(id)) => self.expiry_due(now, id),
                Some(Due::Keepalive(id)) => self.keepalive_due(now, id),
                None => break,
            }
        }
        self.wake = self.wheel.next();
    }

    fn expiry_due(&mut self, now: Instant, id: Id<Kept>) {
        // Gone, or armed again since: a later entry has it.
        let Some(kept) = self.bindings.get(id).filter(|k| k.armed <= now) else { return };
        let expires = kept.binding.expires;
        if expires > now {
            return self.arm_expiry(now, id, expires);
        }
        let mut done = Done::default();
        self.remove(id, What::Expired, &mut done);
        self.out.extend(done.writes.into_iter().map(Act::Write));
        self.out.extend(done.changes.into_iter().map(Act::Changed));
    }

    fn keepalive_due(&mut self, now: Instant, id: Id<Watched>) {
        if let Some((flow, due)) = self.keepalives.later(now, id, &self.entropy) {
            self.out.push_back(Act::Keepalive(flow));
            self.arm(Due::Keepalive(id), due);
        }
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.wake.map(|at| (at, "registrations: expiry or keep-alive"))
    }

    pub fn poll_output(&mut self) -> Option<Act> {
        self.out.pop_front()
    }

    pub fn audit(&self, audit: &mut Audit) {
        audit.set("bindings", self.bindings.len());
        audit.set("aors", self.aors.len());
        audit.set("kept-alive flows", self.keepalives.len());
        assert!(self.by_conn.len() <= self.bindings.len(), "a connection outlives its binding");
        assert!(self.aors.len() == self.by_user.len(), "an index without its address of record");
    }
}
