//! What one call owns outside itself — rule 5 of the house. Written by the Node as it applies the
//! call's effects, read only to bury the call when it did not come back from a step.
//! Owns: the list. Does not know: how anything is given back (see `calls::burial`).
use bitspath_call::{LegId, ReqId, TimerKey};
use bitspath_core::Instant;
use bitspath_core::store::CdrRow;
use bitspath_media::{PortNo, ShardId, StreamId};
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::wire::OutRequest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ledger {
    /// All streams of the call live here.
    pub shard: ShardId,
    /// Requests of peers that have no final response yet.
    pub servers: BTreeSet<TxnId>,
    /// Requests of ours whose transaction lives.
    pub clients: BTreeMap<(LegId, ReqId), Client>,
    /// Keys in the dialog index.
    pub dialogs: Vec<String>,
    pub timers: BTreeSet<TimerKey>,
    pub ports: BTreeSet<PortNo>,
    pub streams: BTreeSet<StreamId>,
    pub wills: BTreeMap<LegId, Will>,
    /// The record until it is closed.
    pub row: Option<CdrRow>,
    pub answered: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Client {
    pub txn: TxnId,
    pub invite: bool,
    /// A final response or a failure has come.
    pub finished: bool,
}

/// The BYE that ends an established leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Will {
    pub flow: Flow,
    pub bye: OutRequest,
}

impl Ledger {
    pub fn new(shard: ShardId, row: CdrRow) -> Ledger {
        Ledger {
            shard,
            servers: BTreeSet::new(),
            clients: BTreeMap::new(),
            dialogs: Vec::new(),
            timers: BTreeSet::new(),
            ports: BTreeSet::new(),
            streams: BTreeSet::new(),
            wills: BTreeMap::new(),
            row: Some(row),
            answered: None,
        }
    }

    /// A request went out in this leg: a later BYE needs a higher CSeq.
    pub fn sent(&mut self, leg: LegId, cseq: u32) {
        if let Some(will) = self.wills.get_mut(&leg) {
            will.bye.cseq = will.bye.cseq.max(cseq.saturating_add(1));
        }
    }

    pub fn client(&mut self, leg: LegId, req: ReqId) -> Option<&mut Client> {
        self.clients.get_mut(&(leg, req))
    }

    /// What a call that says it is gone still owns; nothing, unless there is a bug.
    pub fn left(&self) -> Option<&'static str> {
        [
            (
                !self.servers.is_empty(),
                "a call was gone and left a request without a final response",
            ),
            (!self.timers.is_empty(), "a call was gone and left a timer"),
            (!self.ports.is_empty(), "a call was gone and left a port"),
            (!self.streams.is_empty(), "a call was gone and left a stream"),
            (!self.wills.is_empty(), "a call was gone and left a dialog"),
            (self.row.is_some(), "a call was gone and left an open record"),
        ]
        .into_iter()
        .find_map(|(left, what)| left.then_some(what))
    }
}
