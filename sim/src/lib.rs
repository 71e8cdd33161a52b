//! Floor 4: the simulator. The same Node as in production, among simulated phones, on a network
//! that loses, repeats, delays and mangles, in virtual time; a ladder says what must be seen and
//! oracles judge the rest. A run is a pure function of (ladder, seed).
//!
//! ```text
//!   ladder ─▶ setting ─▶ World ─▶ hosts: server, phones     kernel: heap, network, trail, oracles
//!      ▲                   │
//!      └──── run ◀── arrows as they leave their senders ──▶ report: ladders, pcapng, command
//! ```
//! Map: [`mix`] keyed decisions · [`world`], [`kernel`] events and hosts · [`link`], [`network`],
//! [`nat`], [`stream`] what lies between · [`seen`], [`trail`] messages as a bystander reads them ·
//! [`peers`] phones · [`oracle`] what must hold.
#![forbid(unsafe_code)]

pub mod cli;
pub mod host;
pub mod kernel;
pub mod ladder;
pub mod link;
pub mod mix;
pub mod nat;
pub mod network;
pub mod oracle;
pub mod peers;
pub mod plan;
pub mod plant;
pub mod report;
pub mod seen;
pub mod server_host;
pub mod shrink;
pub mod stream;
pub mod toy;
pub mod trail;
pub mod world;
