//! Legs and the B2BUA that executes a plan. Floor 2: knows the typed messages of `sip`, the
//! commands of `media` and the plan of `pbx`; knows no sockets, no wire bytes, no shared table.
//!
//! Law of the call: *[`Call::step`] looks at read-only [`Facts`], changes only the call, and says
//! everything else as an [`Effect`]*. The Node above takes the call out of its table, steps it
//! where a panic is caught, applies the effects (which cannot fail) and keeps a ledger of what
//! they own.
//!
//! ```text
//!   In ─▶ Call ─┬─ legs[0]   caller, UAS ─┐
//!               ├─ legs[1..] callees, UAC ┼▶ Effect: Respond Request Ack Cancel · Media Lease
//!               └─ anchor: two ports ─────┘  Free · SetTimer · Bind · Will · Cdr · Log · Gone
//! ```
//! Map: [`call`] the state and its step · [`b2bua`] the figure of a call · [`branch`] its INVITEs ·
//! [`leg`], [`uas_leg`], [`uac_leg`] · [`offer_answer`] · [`anchor`] media · [`reinvite`] ·
//! [`hangup`] · [`service`] echo and tone · [`cdr`] · [`outcome`] statuses · [`effect`] · [`facts`]
//! · [`stray`] answers to a 2xx that nobody waits for.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod anchor;
pub mod b2bua;
pub mod branch;
pub mod call;
pub mod cdr;
pub mod effect;
pub mod facts;
pub mod hangup;
pub mod leg;
pub mod offer_answer;
pub mod outcome;
pub mod reinvite;
pub mod service;
pub mod stray;
#[cfg(test)]
mod tests;
pub mod uac_leg;
pub mod uas_leg;

pub use call::{Call, Failure, In, State};
pub use effect::{CallEvent, Effect, LegId, ReqId, TimerKey};
pub use facts::{Branch, Facts, Here, Route, Setup};
pub use leg::{Invite, Leg, LegState};
