//! What reaches the PBX Node and what leaves it — rule 2 of the house: core owns the shape, the
//! Node owns the sum. Plain data: every input is a frame of the recording, every output is hashed.
//!
//! ```text
//!   Start ▶ ┐                       ┌▶ Net      datagrams and streams
//!   Net   ▶ │                       ├▶ Media    commands to a shard
//!   Media ▶ ├─▶  server::Node  ─────┼▶ Store    writes, behind the call path
//!   Stored▶ │                       ├▶ Event    the one numbered stream: ladder, log, API
//!   Admin ▶ ┘                       └▶ Stopped  the host may go
//! ```
use crate::config::Overrides;
use bitspath_core::store::{BindingRow, CdrRow, OpId, Outcome, Request};
use bitspath_core::{Bytes, NetIn, NetOut};
use bitspath_media::{Cmd as MediaCmd, Evt as MediaEvt, ShardId};
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// The first input, exactly once.
    Start(Box<Start>),
    Net(NetIn),
    Media(ShardId, MediaEvt),
    Stored(OpId, Outcome),
    /// A new configuration (SIGHUP): its generation and its text. Refused ones change nothing.
    Config(u64, Bytes),
    Admin(u64, Cmd),
    /// The first drains, one with `now_end_calls` (or the second) ends calls with BYE.
    Shutdown {
        now_end_calls: bool,
    },
    /// What the door did since the last report.
    Door(DoorCounts),
    /// A fresh entropy key, with every segment of the recording.
    Rekey([u8; 32]),
}

/// Everything that a Node learns at birth. `config` holds credentials as HA1 only: hosts pass the
/// file through [`crate::config::seal`] before it is recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub config: Bytes,
    /// Key of every token that we mint.
    pub key: [u8; 32],
    /// Key of the digest nonces; kept in the data directory, so that nonces outlive a restart.
    pub nonce_key: [u8; 32],
    pub node: u8,
    /// Registrations over UDP that a restart kept.
    pub bindings: Vec<BindingRow>,
    /// Calls that were up when the last process died; each is closed once with cause `restart`.
    pub open_cdrs: Vec<CdrRow>,
    /// Addresses of this host, for the advertised address of a wildcard bind.
    pub local_addrs: Vec<IpAddr>,
    /// What the command line moves (`--bind`, `--base-port`).
    pub overrides: Overrides,
    /// `--guest`: the network whose unauthenticated calls reach the services of every tenant.
    pub guest: Option<String>,
    pub build_id: u64,
}

/// What the door answered or refused before the Node, since its last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DoorCounts {
    pub pings: u64,
    pub stuns: u64,
    pub dropped: u64,
    pub shed: u64,
}

/// A command of the operator, answered by `Output::AdminReply` under the same number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cmd {
    /// Ends one call with BYE (or CANCEL) towards both sides.
    HangUp {
        call: u64,
    },
    /// Ends every call; the Node goes on.
    HangUpAll,
    /// Refuses new calls until `Resume`.
    Drain,
    Resume,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reply {
    Done,
    NotFound,
    NotNow(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Output {
    Net(NetOut),
    Media(ShardId, MediaCmd),
    Store(Request),
    /// Numbered without gaps from 1.
    Event(u64, Event),
    AdminReply(u64, Reply),
    /// Nothing is left to do: the host may end.
    Stopped,
}

/// What happened, for people. Never read back by the Node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    Started {
        listeners: usize,
        tenants: usize,
        extensions: usize,
        bindings: usize,
    },
    /// The text given to `Start` cannot be used; the Node answers nothing.
    StartRefused {
        errors: Vec<String>,
    },
    ConfigLoaded {
        generation: u64,
        needs_restart: Vec<String>,
    },
    ConfigRefused {
        generation: u64,
        errors: Vec<String>,
    },
    Registered {
        tenant: String,
        user: String,
        contact: String,
        peer: SocketAddr,
        expires_s: u32,
    },
    Unregistered {
        tenant: String,
        user: String,
        contact: String,
    },
    /// Wrong credentials. `user` is what the peer claimed.
    AuthFailed {
        tenant: String,
        user: String,
        peer: SocketAddr,
    },
    CallStarted {
        call: u64,
        tenant: String,
        caller: String,
        callee: String,
        call_id: String,
    },
    CallRinging {
        call: u64,
    },
    CallAnswered {
        call: u64,
        caller_port: u16,
        callee_port: u16,
    },
    CallEnded {
        call: u64,
        cdr: CdrRow,
    },
    Draining {
        calls: usize,
    },
    /// Our own bug buried this call; the recording tells the rest.
    Bug {
        call: Option<u64>,
        what: String,
    },
    /// The surroundings failed: a store that refused, a socket that would not open.
    Fault {
        what: String,
    },
}
