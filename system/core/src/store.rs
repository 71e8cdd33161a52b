//! What may be written down: the request types and the registry of tables.
//! Every request carries its tenant; keys begin with it. The Node mints the keys, so a request
//! carried out twice leaves the same state. Engines live on floor 4; the call path never waits.
use crate::net::{ListenerId, Transport};
use crate::time::UnixTime;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One tenant, by its place in the directory; its stable name is in the rows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct TenantId(pub u32);

/// One store request of this Node, never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId(pub u64);

/// The tables of the house and the version of their rows; an engine migrates what is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StoreTable {
    Bindings,
    Cdrs,
}

impl StoreTable {
    pub const ALL: [StoreTable; 2] = [StoreTable::Bindings, StoreTable::Cdrs];
    pub const fn name(self) -> &'static str {
        match self {
            StoreTable::Bindings => "bindings",
            StoreTable::Cdrs => "cdrs",
        }
    }
    pub const fn version(self) -> u16 {
        1
    }
}

/// A UDP registration as it is kept over a restart; streams die with their connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BindingRow {
    pub tenant: String,
    pub user: String,
    /// The Contact field value verbatim, without its `expires`.
    pub contact: String,
    pub instance: Option<String>,
    /// Thousandths, RFC 3261 §20.10.
    pub q: u16,
    pub call_id: String,
    pub cseq: u32,
    pub expires: UnixTime,
    pub listener: ListenerId,
    pub transport: Transport,
    pub peer: SocketAddr,
    pub local: IpAddr,
}

/// Key of a call record: time-ordered, minted by the Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CdrId(pub u128);

impl fmt::Display for CdrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How a call attempt ended. `Open` stands only in the store, between answer and hang-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CdrCause {
    Open,
    /// Answered and ended by the caller's or the callee's BYE.
    CallerHungUp,
    CalleeHungUp,
    Cancelled,
    Busy,
    Declined,
    NoAnswer,
    NotFound,
    Unavailable,
    NotAcceptable,
    Refused,
    Timeout,
    MediaTimeout,
    Shutdown,
    Restart,
    /// Our own bug buried the call.
    Bug,
}

impl CdrCause {
    /// The word of ladders and of `bitspath cdr`.
    pub const fn as_str(self) -> &'static str {
        match self {
            CdrCause::Open => "open",
            CdrCause::CallerHungUp => "caller-hung-up",
            CdrCause::CalleeHungUp => "callee-hung-up",
            CdrCause::Cancelled => "cancelled",
            CdrCause::Busy => "busy",
            CdrCause::Declined => "declined",
            CdrCause::NoAnswer => "no-answer",
            CdrCause::NotFound => "not-found",
            CdrCause::Unavailable => "unavailable",
            CdrCause::NotAcceptable => "not-acceptable",
            CdrCause::Refused => "refused",
            CdrCause::Timeout => "timeout",
            CdrCause::MediaTimeout => "media-timeout",
            CdrCause::Shutdown => "shutdown",
            CdrCause::Restart => "restart",
            CdrCause::Bug => "bug",
        }
    }
}

/// One call attempt, answered or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CdrRow {
    pub id: CdrId,
    pub tenant: String,
    pub caller: String,
    pub callee: String,
    /// Call-ID of the caller's leg.
    pub call_id: String,
    pub started: UnixTime,
    pub answered: Option<UnixTime>,
    pub ended: Option<UnixTime>,
    /// From answer to hang-up on the monotonic clock; zero when never answered.
    pub billed: Duration,
    pub cause: CdrCause,
    /// The final status that the caller got; 0 when none was sent.
    pub status: u16,
    /// RTP packets relayed from the caller and from the callee.
    pub packets: [u64; 2],
}

/// A write. `durable` of [`Request`] asks for an answer only after it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Write {
    PutBinding(BindingRow),
    DeleteBinding {
        tenant: String,
        user: String,
        contact: String,
    },
    /// Opened at answer, or written once, closed, for an attempt that was never answered.
    PutCdr(CdrRow),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    pub op: OpId,
    pub write: Write,
    pub durable: bool,
}

/// The engine's answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    /// The disk is full; the row is not kept.
    Full,
    Failed,
}
