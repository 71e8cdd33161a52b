//! SIP, sans-IO: RFC 3261 and its relatives. Floor 1: knows the wire and the machines of the
//! protocol; knows no tenants, no media, no sockets, no clock.
//!
//! Law (every crate's endpoint): *one mutation, then drain `poll_output` to `None`, then read
//! `poll_timeout`.*
//!
//! ```text
//!   datagram ─▶ door ─▶ endpoint ─▶ transaction (Figures 5-8) ─▶ Event ─▶ the floors above
//!   stream ──▶ stream ─▶   │    ◀── OutRequest, OutResponse ◀── dialog, sdp, digest
//!                          └─ wire: parse / emit
//! ```
//! Map: [`door`] raw bytes before the Node · [`wire`] grammar · [`stream`] connections ·
//! [`transaction`] · [`endpoint`] matching and routing · [`dialog`] · [`sdp`] offer/answer ·
//! [`digest`] · [`mint`] branches, tags, Call-IDs · [`method`] · [`status`].
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod dialog;
pub mod digest;
pub mod door;
pub mod endpoint;
pub mod method;
pub mod mint;
pub mod sdp;
pub mod status;
pub mod stream;
pub mod transaction;
pub mod wire;

pub use method::Method;
pub use status::Status;
pub use wire::{Emit, HeaderName, Message, NameAddr, Rejected, Uri};
