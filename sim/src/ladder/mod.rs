//! The ladder language: a scenario that can be read aloud. `scenarios/README.md` is its grammar.
//!
//!   text ─lex─▶ lines of words ─parse─▶ Ladder ─setting─▶ World ─run─▶ Outcome ─diff─▶ two ladders
//!
//! No variables, loops or ifs, ever: logic-heavy cases are Rust tests on this crate.
mod act;
pub mod ast;
mod diff;
mod expect;
pub mod lex;
mod observe;
mod parse;
mod rest;
pub mod run;
pub mod setting;
#[cfg(test)]
mod tests;

pub use ast::Ladder;
pub use lex::Error;
pub use parse::{parse, range};
pub use run::{Failure, Options, Outcome, run};
