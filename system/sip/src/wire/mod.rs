//! SIP on the wire: RFC 3261 §7, §19, §20, §25 and RFC 4475. Two levels: [`Message::parse`] indexes
//! a datagram once, in place, and judges it strictly; typed views are cut from it on demand.
//! Owns: grammar, emission, stream framing.  Does not know: transactions, who may do what.
//! Missing: multipart bodies, S/MIME.
//!
//! ```text
//!   Bytes ─▶ scan (lines, names) ─▶ check (grammar, counts) ─▶ Message ─▶ Uri, NameAddr, Via …
//!     ▲                                └─▶ Rejected{status, offset, expected}       │
//!     └────────── Emit (one buffer) ◀── OutRequest, OutResponse ◀───────────────────┘
//! ```
//! Map: [`header`] names · `scan` the index · [`message`] · `check` the verdict · [`uri`] ·
//! `uri_shape` its grammar · [`uri_compare`] · [`name_addr`] · [`via`] · [`params`] · [`list`] ·
//! [`auth`] · [`date`] · [`emit`] · [`out`] · [`framing`] · [`rejected`] · [`chars`].
pub mod auth;
pub mod chars;
mod check;
pub mod date;
pub mod emit;
pub mod framing;
pub mod header;
pub mod list;
pub mod message;
pub mod name_addr;
pub mod out;
pub mod params;
pub mod rejected;
mod scan;
pub mod uri;
pub mod uri_compare;
mod uri_shape;
pub mod via;

pub use emit::Emit;
pub use framing::{Frame, Framer};
pub use header::HeaderName;
pub use message::{Contacts, Message};
pub use name_addr::NameAddr;
pub use out::{Body, OutRequest, OutResponse};
pub use params::Params;
pub use rejected::{Error, Rejected};
pub use uri::Uri;
pub use via::Via;

/// The raw values of one header in the head of `message`, before anything is judged. Lines that
/// are no headers end the walk.
pub(crate) fn head_values(message: &[u8], name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let start = memchr::memchr(b'\n', message).map_or(message.len(), |i| i + 1);
    let mut at = start;
    core::iter::from_fn(move || {
        loop {
            let line = scan::next_line(message, at).ok()??;
            at = line.next;
            if line.name == name {
                return Some(line.value.of(message));
            }
        }
    })
}
