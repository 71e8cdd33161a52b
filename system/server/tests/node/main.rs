//! The Node driven by its verbs, with real SIP text.
#![allow(clippy::expect_used, clippy::panic)]
mod calls;
mod first_minute;
mod freeze;
mod operator;
mod phone;
mod registration;
mod restart;
mod streams;
mod world;
