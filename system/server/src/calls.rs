//! The table of calls and the boundary around each of them — rule 5 of the house.
//! Owns: which call a message belongs to, the timers of calls, their ledgers, containment.
//! Does not know: what a call does with an input (the `call` crate), who may call (`dispatch`).
//!
//! ```text
//!   input ─▶ find ─▶ take ─▶ catch_unwind(step) ─▶ put back ─▶ apply effects ─▶ ledger
//!                                 └─ panic ─▶ bury: walk the ledger, nobody else notices
//! ```
mod apply;
mod burial;
mod inputs;

use crate::advertise::Advertise;
use crate::counters::Counters;
use crate::io::Output;
use crate::ledger::Ledger;
use crate::records::Records;
use bitspath_call::{Call, Effect, Facts, Here, In, LegId, ReqId, TimerKey};
use bitspath_core::limits::{CALLS_MAX, DIALOGS_MAX};
use bitspath_core::store::CdrRow;
use bitspath_core::timers::Heap;
use bitspath_core::{Audit, Bytes, Entropy, Id, Index, Instant, Now, Outbox, Purpose, Table};
use bitspath_media::{PortNo, Ports};
use bitspath_sip::endpoint::{Endpoint, Flow, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Everything of the Node that applying an effect may touch.
pub struct Cx<'a> {
    pub now: Now,
    pub entropy: &'a Entropy,
    pub endpoint: &'a mut Endpoint,
    pub ports: &'a mut Ports,
    pub out: &'a mut VecDeque<Output>,
    pub advertise: &'a Advertise,
    pub store: &'a mut Records,
    pub node: u8,
    pub counters: &'a mut Counters,
}

impl Cx<'_> {
    fn here(&self, flow: &Flow) -> Here {
        Here { host: self.advertise.sent_by(flow), media: self.advertise.media_ip(flow) }
    }
}

/// An ACK that was sent, for the next copy of the 2xx that it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Acked {
    to_tag: String,
    flow: Flow,
    bytes: Bytes,
}

/// A request that could not be sent, told to its call after the effects in hand.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Unsent {
    call: u64,
    leg: LegId,
    req: ReqId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Calls {
    table: Table<Call>,
    /// By call; every call in the table has one.
    ledgers: BTreeMap<u64, Ledger>,
    /// Call-ID and our tag, of every leg.
    dialogs: Index<String, (u64, LegId)>,
    timers: Heap<(u64, TimerKey)>,
    /// By INVITE transaction of ours, while it lives; one for each fork that answered.
    acks: BTreeMap<TxnId, Vec<Acked>>,
    /// Calls whose record is not closed.
    open: usize,
    unsent: VecDeque<Unsent>,
    /// For tests: panic in the n-th step from now, or from then on never (`None`).
    #[cfg(feature = "plant")]
    #[serde(skip)]
    pub plant: Option<u64>,
}

impl Calls {
    pub fn new(entropy: &Entropy) -> Calls {
        let key = |n| entropy.at(Purpose::TableKey, 0xCA11, n);
        Calls {
            table: Table::new(CALLS_MAX),
            ledgers: BTreeMap::new(),
            dialogs: Index::new(DIALOGS_MAX, (key(0), key(1))),
            timers: Heap::default(),
            acks: BTreeMap::new(),
            open: 0,
            unsent: VecDeque::new(),
            #[cfg(feature = "plant")]
            plant: None,
        }
    }

    /// Calls that are not over; those that only wait for last answers do not count.
    pub fn len(&self) -> usize {
        self.open
    }

    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Media streams that are open, or that still owe us their statistics.
    pub fn relays(&self) -> usize {
        self.ledgers.values().map(|ledger| ledger.streams.len()).sum()
    }

    /// Live calls in the order of their places, after the given one.
    pub fn rows(&self, after: Option<u64>) -> impl Iterator<Item = (u64, &CdrRow)> {
        let live = self.table.iter().filter(|(_, call)| call.is_live());
        live.map(|(id, call)| (id.as_u64(), call.row()))
            .skip_while(move |(id, _)| after.is_some_and(|after| !place(*id).gt(&place(after))))
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.next().map(|(due, (_, key))| (due, key.reason()))
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        while let Some((call, key)) = self.timers.pop_due(cx.now.mono) {
            if let Some(ledger) = self.ledgers.get_mut(&call) {
                ledger.timers.remove(&key);
            }
            self.step(cx, call, In::Timer(key));
        }
    }

    pub fn audit(&self, audit: &mut Audit) {
        audit.set("calls", self.table.len());
        audit.set("call_ledgers", self.ledgers.len());
        audit.set("call_timers", self.timers.len());
        audit.set("dialogs", self.dialogs.len());
        audit.set("acks_kept", self.acks.len());
        audit.set("records_open", self.open);
    }

    /// One input for one call, and everything that follows from it. True when the call was there
    /// and came back.
    fn step(&mut self, cx: &mut Cx<'_>, call: u64, input: In<'_>) -> bool {
        let returned = self.step_once(cx, call, input);
        // A request that was refused for want of room comes back as a failure, at most once each.
        while let Some(Unsent { call, leg, req }) = self.unsent.pop_front() {
            let why = bitspath_call::Failure::Full;
            self.step_once(cx, call, In::Failed { leg, req, why });
        }
        returned
    }

    fn step_once(&mut self, cx: &mut Cx<'_>, call: u64, input: In<'_>) -> bool {
        let id = Id::from_u64(call);
        let Some(mut machine) = self.table.take(id) else { return false };
        let mut spare = [PortNo::default(); 2];
        let mut spare_n = 0;
        if let (In::Start { .. }, Some(ledger)) = (&input, self.ledgers.get(&call)) {
            for (slot, port) in spare.iter_mut().zip(cx.ports.peek(ledger.shard)) {
                *slot = port;
                spare_n += 1;
            }
        }
        let spare_ports = spare.get(..spare_n).unwrap_or(&[]);
        let timers = *cx.endpoint.timers();
        let (now, entropy, node, timers) = (cx.now, cx.entropy, cx.node, &timers);
        let facts = Facts { now, entropy, node, call, spare_ports, timers };
        #[cfg(feature = "plant")]
        let planted = self.planted();
        #[cfg(not(feature = "plant"))]
        let planted = false;
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            let mut effects = Outbox::default();
            machine.step(&facts, input, &mut effects);
            if planted {
                bitspath_core::bug!("planted");
            }
            (machine, effects)
        }));
        let (machine, effects) = match stepped {
            Ok(stepped) => stepped,
            Err(panic) => {
                self.table.bury(id);
                self.bury(cx, call, burial::words(panic.as_ref()));
                return false;
            }
        };
        self.table.put_back(id, machine);
        self.carry_out(cx, call, effects)
    }

    fn carry_out(&mut self, cx: &mut Cx<'_>, call: u64, mut effects: Outbox<Effect>) -> bool {
        while let Some(effect) = effects.pop() {
            if let Err(what) = self.apply(cx, call, effect) {
                self.table.remove(Id::from_u64(call));
                self.bury(cx, call, what.to_owned());
                return false;
            }
        }
        true
    }

    #[cfg(feature = "plant")]
    fn planted(&mut self) -> bool {
        match &mut self.plant {
            Some(0) => {
                self.plant = None;
                true
            }
            Some(n) => {
                *n -= 1;
                false
            }
            None => false,
        }
    }
}

/// The place of a call in the table, which orders pages.
const fn place(call: u64) -> u32 {
    call as u32
}

/// The key of a leg in the dialog index.
fn key(call_id: &str, local_tag: &str) -> String {
    let mut key = String::with_capacity(call_id.len() + local_tag.len() + 1);
    key.push_str(call_id);
    key.push('\n');
    key.push_str(local_tag);
    key
}
