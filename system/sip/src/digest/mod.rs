//! Digest authentication — RFC 3261 §22, RFC 7616 (and 2617, whose answers it still accepts),
//! RFC 8760 (several algorithms).
//! Owns: algorithms, the challenge text, the stateless nonce and its window of nonce-counts, the
//! verdict on credentials, and the client's answer. Does not know: who exists (the caller's
//! look-up), which requests are challenged.
//! Missing: auth-int, userhash, `-sess` algorithms, a check of `uri` against the Request-URI (SIP
//! phones differ there, so HA2 takes it as received).
//!
//! ```text
//!   request ── none, foreign realm, other algorithm ──▶ NoCredentials ──▶ 401 challenge
//!      └─ digest ─ wrong, or no such user ──▶ Wrong ────────────────────▶ 401 challenge
//!             └─ right ─ nonce foreign, expired or nc seen ──▶ Stale ───▶ 401 stale=true
//!                    └─ nonce ours and fresh ──▶ Ok{user}
//! ```
mod algorithm;
mod challenge;
mod client;
mod nonce;
mod verify;

pub use algorithm::Algorithm;
pub use challenge::{challenge, challenges};
pub use client::{Unanswerable, answer, preferred};
pub use nonce::Nonces;
pub use verify::{Verdict, verify};

#[cfg(test)]
mod tests;
