//! SIP, sans-IO (being built).
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
