//! Session descriptions and their agreement — RFC 8866 (SDP), RFC 3264 (offer/answer).
//! Owns: the text, what a plain RTP leg reads from it, the per-leg offer/answer machine, and the
//! re-emission of one leg's session on another. Does not know: sockets, ports, calls.
//! Missing: SAVP, ICE, bundling (plain legs refuse or remove them), capability negotiation.
//!
//! ```text
//!   octets ─▶ session ─▶ media ─▶ attribute        parse, then typed views on demand
//!   octets ◀── emit ◀── relayed | service ◀── own_origin      what we say is ours
//!                          offer_answer             whose turn it is
//! ```
mod attribute;
mod emit;
mod media;
mod offer_answer;
mod own_origin;
mod relayed;
mod service;
mod session;

pub use attribute::{Attribute, Codec, Direction};
pub use media::Media;
pub use offer_answer::{
    Agreed, Mismatch, OfferAnswer, Refusal, State, Violation, acceptable, check_answer,
    is_relayable,
};
pub use own_origin::OwnOrigin;
pub use relayed::{relayed, relayed_answer};
pub use service::{Chosen, answer_for_service, chosen_by_answer, offer_for_delayed};
pub use session::{Connection, Line, Malformed, Origin, Session};

#[cfg(test)]
mod tests;
