//! The wire against RFC 4475 and against damage: every message of the golden folder is judged, cut
//! at every octet and mutated. One million mutations: `cargo test --release -p bitspath-sip --test
//! wire -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod mutate;
mod rfc4475;
mod touch;
