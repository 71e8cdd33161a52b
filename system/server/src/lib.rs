//! Floor 3: the PBX Node. One deterministic state machine; it owns no socket, clock or thread.
//!
//! Law: *one mutation, then drain `poll_output` to `None`, then read `poll_timeout`*. A Node is a
//! pure function of its input log, from [`Input::Start`] on.
//!
//! ```text
//!   Input ─▶ node ─▶ live ─┬─ endpoint ─▶ dispatch ─▶ gate, auth ─┬▶ registration (pbx)
//!                          │                                      └▶ calls (call), with its ledger
//!                          ├─ operator: reload, commands, drain
//!                          └─ records ─▶ store        reads: query pages     ─▶ Output
//! ```
//! Map: [`io`] what comes in and goes out · [`config`] the TOML text · [`node`] the verbs · `live`
//! the parts and their order · `dispatch` what becomes of a request · `gate` checks of any request
//! · `auth` digest policy · `identity` tenants of connections · `registration` · [`calls`] the
//! boundary around each call · [`ledger`] what a call owns · [`records`] what is written down ·
//! [`advertise`] our own addresses · `operator`, `drain` · [`query`], `reads` · [`counters`],
//! `metrics`.
#![forbid(unsafe_code)]

pub mod advertise;
mod auth;
pub mod calls;
pub mod config;
pub mod counters;
mod dispatch;
mod drain;
mod gate;
mod identity;
pub mod io;
pub mod ledger;
mod live;
mod metrics;
pub mod node;
mod operator;
pub mod query;
mod reads;
pub mod records;
mod registration;

pub use config::{Config, ConfigError, Overrides};
pub use io::{Cmd, DoorCounts, Event, Input, Output, Reply, Start};
pub use node::Node;
pub use query::{Page, Query};
