//! Who is who and where: directory, identity, location, registrar, dialplan. Floor 2.
//! Knows tenants and numbers; knows no transactions, no sockets, no clock.
//!
//! Law: *one mutation, then drain `poll_output` to `None`, then read `poll_timeout`.*
//!
//! ```text
//!   request ─▶ identity (whose tenant, may they?) ─┬─ REGISTER ─▶ registrar ─▶ location
//!                       directory (a snapshot) ────┘                              │ flows
//!   callee number ─▶ dialplan ─▶ Plan: ring | service | refuse ◀─────────────────┘
//! ```
//! Map: [`directory`] · [`identity`] · [`registrar`] over `draft` and `location` · [`binding`] ·
//! `keepalive` · [`dialplan`].
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod binding;
pub mod dialplan;
pub mod directory;
mod draft;
pub mod identity;
mod keepalive;
mod location;
pub mod registrar;

pub use binding::{Binding, Change, What};
pub use dialplan::{Plan, Target, plan};
pub use directory::{Directory, Extension, Service, Tenant};
pub use location::Act;
pub use registrar::{Registered, Registrar};

#[cfg(test)]
mod tests;
