//! The ground of the house: what every floor above may rely on.
//!
//! Law of every Node and of every crate's endpoint: *one mutation, then drain `poll_output` to
//! `None`, then read `poll_timeout`*. `now` is an argument; nothing here reads a clock, a socket,
//! a thread or the random source of the operating system.
//!
//! ```text
//!   handle(now, input) ─┐                       ┌─▶ poll_output()  what to send, store, log
//!   handle_timeout(now) ┴─▶ one state machine ──┴─▶ poll_timeout() the next deadline, its reason
//! ```
//! Map: [`node`] the verbs · [`time`] · [`net`] the network as data · [`entropy`] keyed
//! randomness · [`timers`] · [`table`] · [`pending`] · [`limits`] every bound of the house ·
//! [`store`] what may be written down · [`freeze`] plain data to bytes and back · [`hash`] the
//! trace hash.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod entropy;
pub mod freeze;
pub mod hash;
pub mod limits;
pub mod net;
pub mod node;
pub mod pending;
pub mod store;
pub mod table;
pub mod time;
pub mod timers;

pub use bytes::Bytes;
pub use core::time::Duration;
pub use entropy::{Entropy, Purpose};
pub use freeze::{Fault, Frozen};
pub use net::{ConnId, ListenerId, NetIn, NetOut};
pub use node::{Audit, Node, Outbox};
pub use table::{Id, Index, Table};
pub use time::{Instant, Now, UnixTime};

/// A broken invariant: our own bug. Panics; the boundary of one call catches it in production,
/// buries that call and saves the recording. The simulator lets it through.
#[macro_export]
macro_rules! bug {
    ($($arg:tt)+) => { panic!("bug: {}", format_args!($($arg)+)) };
}
