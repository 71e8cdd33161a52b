//! Floor 4: the production host. One event loop owns the Node; sockets, disk and signals are
//! around it. Everything the loop needs of its surroundings is one small [`env::Env`], so that the
//! same [`run::run`] works on tokio in production and inside turmoil in tests.
//!
//! ```text
//!   UDP ─▶ door ─▶ inbox ─┐                            ┌▶ UDP, streams
//!   streams ──────▶ inbox ─┤   recorder ─▶ ring on disk ├▶ media workers (threads)
//!   threads ───▶ mailbox ─┴──▶ Node ───────────────────┴▶ store thread, events, control socket
//! ```
//! Law: one mutation, drain the outputs, read the deadline; one clock read per batch.
//!
//! Map: [`mod@env`] surroundings · [`run`] the loop · [`inbox`] bounded queues before the Node ·
//! [`streams`] TCP with credits · [`media`] the workers · [`recorder`] at the Node's door ·
//! [`ring`] its files · [`replay`] · [`flight`] saved recordings · [`storage`] the store's thread ·
//! [`control`] the operator's socket · [`metrics`] · [`data`] the data directory · [`log`] ·
//! [`up`] a whole server with its signals.
#![deny(unsafe_code)]

pub mod control;
pub mod data;
pub mod env;
pub mod flight;
pub mod inbox;
pub mod log;
pub mod media;
pub mod metrics;
pub mod recorder;
pub mod replay;
pub mod ring;
pub mod run;
pub mod storage;
pub mod streams;
pub mod up;

/// Hash of sources, lock file, profile and compiler: equal ids replay each other's recordings.
pub const BUILD_ID: u64 = decimal(env!("BITSPATH_BUILD_ID"));

const fn decimal(text: &str) -> u64 {
    let (digits, mut at, mut value) = (text.as_bytes(), 0, 0u64);
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as u64;
        at += 1;
    }
    value
}
