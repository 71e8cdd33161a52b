//! Transactions — RFC 3261 §17, RFC 6026, RFC 4320. One file per figure.
//! Owns: retransmission, timeouts, absorption, of one request and its responses.
//! Does not know: dialogs, sockets, clocks, where a message is routed; the parent
//! ([`crate::endpoint`]) matches messages to machines and carries out their [`Act`]s.
//!
//! | machine | figure |
//! |---|---|
//! | [`InviteClient`] | RFC 6026 Figure 5 |
//! | [`NonInviteClient`] | RFC 3261 Figure 6 |
//! | [`InviteServer`] | RFC 6026 Figure 7 |
//! | [`NonInviteServer`] | RFC 3261 Figure 8 |
pub mod ack;
pub mod invite_client;
pub mod invite_server;
pub mod key;
pub mod non_invite_client;
pub mod non_invite_server;
#[cfg(test)]
mod tests;
pub mod timer;

pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use non_invite_client::NonInviteClient;
pub use non_invite_server::NonInviteServer;
pub use timer::{Clock, Timer, TimerTable, Timers};

use crate::wire::Message;
use bitspath_core::Bytes;
use serde::{Deserialize, Serialize};

/// What a machine asks of the parent that called it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// To the transport, for the first time.
    Send(Bytes),
    /// To the transport once more: the same octets.
    Resend(Bytes),
    /// The message in hand goes to the transaction user.
    Deliver,
    /// The transaction user will get no answer.
    Fail(FailWhy),
    /// The held-back CANCEL may go: start its own transaction.
    Cancel(Bytes),
    /// The transaction user is silent: answer 100 in its place.
    Trying,
    /// This state has no use for that input; counted, never silent.
    Stray,
}

/// Why a client transaction ended without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailWhy {
    /// Timer B or F: as good as a 408, RFC 3261 §8.1.3.1.
    Timeout,
    /// The connection broke or the network refused: as good as a 503.
    Transport,
}

/// One of the four figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer),
}

impl Machine {
    pub fn timers(&self) -> &TimerTable {
        match self {
            Machine::InviteClient(m) => m.timers(),
            Machine::NonInviteClient(m) => m.timers(),
            Machine::InviteServer(m) => m.timers(),
            Machine::NonInviteServer(m) => m.timers(),
        }
    }

    pub fn timers_mut(&mut self) -> &mut TimerTable {
        match self {
            Machine::InviteClient(m) => m.timers_mut(),
            Machine::NonInviteClient(m) => m.timers_mut(),
            Machine::InviteServer(m) => m.timers_mut(),
            Machine::NonInviteServer(m) => m.timers_mut(),
        }
    }

    pub fn is_terminated(&self) -> bool {
        match self {
            Machine::InviteClient(m) => m.is_terminated(),
            Machine::NonInviteClient(m) => m.is_terminated(),
            Machine::InviteServer(m) => m.is_terminated(),
            Machine::NonInviteServer(m) => m.is_terminated(),
        }
    }

    pub const fn is_client(&self) -> bool {
        matches!(self, Machine::InviteClient(_) | Machine::NonInviteClient(_))
    }

    /// The request that a server machine still owes a final answer.
    pub fn request(&self) -> Option<&Message> {
        match self {
            Machine::InviteServer(m) => m.request(),
            Machine::NonInviteServer(m) => m.request(),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => None,
        }
    }
}
