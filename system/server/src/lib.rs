//! Floor 3: the PBX Node. One deterministic state machine; it owns no socket, clock or thread.
//!
//! Law: *one mutation, then drain `poll_output` to `None`, then read `poll_timeout`*. A Node is a
//! pure function of its input log, from [`Input::Start`] on.
//!
//! Map: [`io`] what comes in and goes out · [`config`] the TOML text · [`node`] the verbs ·
//! [`query`] reads between inputs.
#![forbid(unsafe_code)]

pub mod advertise;
pub mod config;
pub mod counters;
pub mod drain;
pub mod gate;
pub mod io;
pub mod metrics;
pub mod node;
pub mod query;

pub use config::{Config, ConfigError, Overrides};
pub use io::{Cmd, DoorCounts, Event, Input, Output, Reply, Start};
pub use node::Node;
pub use query::{Page, Query};
