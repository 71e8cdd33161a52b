//! Media as data: RTP and RTCP relay with latching, echo, tone and port leases (rule 7).
//!
//! Law of the shard: *one mutation (`handle`, `relay`, `handle_timeout`), then drain `poll_event`,
//! `poll_bind` and `poll_packet` to the end, then read `poll_timeout`.*
//!
//! ```text
//!   Node ──Cmd──▶ ┌──────── Shard ────────┐ ◀── batch of Slots ── MediaNet (epoll, World)
//!   Node ◀──Evt── │ port ▶ latch ▶ link   │ ──▶ the same Slots, verdict and peer in place
//!                 └───────────────────────┘ ──▶ poll_packet: what echo and tone send by the clock
//! ```
//! Map: [`command`] what the Node says and hears · [`slot`] packets and the socket trait ·
//! [`latch`] who may speak · [`shard`] the machine · `stream` one port's state · [`ports`] the
//! Node's leases · [`echo`], [`tone`] services · [`g711`] the two laws · [`wire`] RFC 3550.
//! Does not know: SIP, SDP, sockets, clocks. Missing: SRTP, ICE, jitter buffer, mixing (later).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
mod by_port;
pub mod command;
pub mod echo;
pub mod g711;
pub mod latch;
pub mod ports;
pub mod reception;
pub mod shard;
pub mod slot;
pub mod source;
mod stream;
pub mod tone;
pub mod wire;

pub use command::{Cmd, Evt, Law, PortNo, ShardId, Sink, Stats, StreamCfg, StreamId};
pub use ports::Ports;
pub use shard::{Bind, Counters, Shard};
pub use slot::{MediaNet, NetStats, Slot, Verdict};
