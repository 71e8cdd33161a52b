//! What a step asks for. Applying an effect is total: whatever cannot be done comes back to the
//! call as an input (`Failed`), never as an error. What an effect makes the call own (a
//! transaction, a dialog key, a timer, a port, a stream, an open record) the Node writes into the
//! ledger.
use alloc::string::String;
use bitspath_core::Instant;
use bitspath_core::store::CdrRow;
use bitspath_media::{Cmd, PortNo};
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::wire::{OutRequest, OutResponse};
use serde::{Deserialize, Serialize};

/// A leg's place in its call: 0 is the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u32);

impl LegId {
    pub const CALLER: LegId = LegId(0);
}

/// One request of ours on a leg; never used twice in that leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReqId(pub u32);

/// The deadlines of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKey {
    /// Nobody answered.
    Ring,
    /// The record waits for the statistics of closed streams.
    Stats,
    /// No call lives for ever.
    Age,
    /// After the end: whatever a peer still owes us is given up.
    Linger,
    /// A 2xx of ours to this leg is repeated until its ACK, RFC 3261 §13.3.1.4.
    Ack(LegId),
}

impl TimerKey {
    pub const fn reason(self) -> &'static str {
        match self {
            TimerKey::Ring => "call: ring time",
            TimerKey::Stats => "call: statistics of closed streams",
            TimerKey::Age => "call: longest call",
            TimerKey::Linger => "call: last answers after the end",
            TimerKey::Ack(_) => "call: 2xx without ACK",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Respond {
        txn: TxnId,
        response: OutResponse,
    },
    /// The 2xx that was given last, once more.
    Repeat {
        txn: TxnId,
    },
    Request {
        leg: LegId,
        req: ReqId,
        flow: Flow,
        request: OutRequest,
    },
    /// Of the INVITE `req`; the transaction waits for a provisional by itself.
    Cancel {
        leg: LegId,
        req: ReqId,
        reason: &'static str,
    },
    /// For the 2xx with `to_tag` of the INVITE `req`. Kept, and sent again for each 2xx that comes
    /// again.
    Ack {
        leg: LegId,
        req: ReqId,
        to_tag: String,
        flow: Flow,
        request: OutRequest,
    },
    SetTimer(TimerKey, Instant),
    CancelTimer(TimerKey),
    Lease(PortNo),
    Free(PortNo),
    Media(Cmd),
    /// In-dialog requests with this Call-ID and local tag belong to this leg.
    Bind {
        leg: LegId,
        call_id: String,
        local_tag: String,
    },
    /// Should the call be buried, this BYE ends its leg. Replaces the leg's earlier will.
    Will {
        leg: LegId,
        flow: Flow,
        bye: OutRequest,
    },
    /// The leg has nothing left to end.
    NoWill {
        leg: LegId,
    },
    /// The record as it stands: open at the answer, then closed exactly once.
    Cdr(CdrRow),
    Log(CallEvent),
    /// Nothing is owned any more; the call may be dropped.
    Gone,
}

/// For people; the Node adds the call's number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallEvent {
    Started { tenant: String, caller: String, callee: String, call_id: String },
    Ringing,
    Answered { caller_port: u16, callee_port: u16 },
    Ended(CdrRow),
}
