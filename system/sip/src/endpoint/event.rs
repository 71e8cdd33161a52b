//! What the endpoint tells its user, and by what names they speak of transactions.
use super::flow::Flow;
use crate::transaction::FailWhy;
use crate::wire::Message;
use bitspath_core::net::{CloseReason, StreamKind};
use bitspath_core::{ConnId, Id};
use serde::{Deserialize, Serialize};

/// A transaction in the endpoint's table; a stale one finds nothing.
pub type TxnId = Id<super::table::Transaction>;

/// Whose a transaction is. Opaque here: minted by the caller, given back in every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    pub call: u64,
    pub leg: u32,
    pub req: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A new request: never ACK, never CANCEL. `merged`: it came by a second path (482).
    Request {
        txn: TxnId,
        flow: Flow,
        msg: Message,
        merged: bool,
    },
    /// An ACK to a 2xx, or to nothing that we know.
    Ack {
        flow: Flow,
        msg: Message,
    },
    /// A CANCEL met its INVITE, which still waits; the 200 to the CANCEL is on its way and the
    /// user answers the INVITE with 487.
    Cancelled {
        txn: TxnId,
        owner: Option<Owner>,
        msg: Message,
    },
    /// A response to a request of ours; one final, but every 2xx to an INVITE.
    Response {
        txn: TxnId,
        owner: Owner,
        flow: Flow,
        msg: Message,
    },
    /// A request of ours that will get no final response.
    Failed {
        txn: TxnId,
        owner: Owner,
        why: FailWhy,
    },
    /// A transaction with an owner has left the table.
    Ended {
        owner: Owner,
        txn: TxnId,
    },
    Opened {
        conn: ConnId,
        flow: Flow,
        kind: StreamKind,
    },
    Closed {
        conn: ConnId,
        reason: CloseReason,
    },
}
