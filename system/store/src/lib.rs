//! Floor 4: engines for the store registry of [`bitspath_core::store`].
//!
//! Law: an engine decides nothing. Keys, ids and times come with the request, so a request carried
//! out twice leaves the same state, and every engine holds the same rows after the same requests.
//! A batch is one commit: after a crash it is there whole or not at all, in the order of batches.
//!
//! Map: [`Engine`] the trait · [`memory`] the model · [`embedded`] redb in one file ·
//! [`conformance`] the one suite that holds them equal.
#![forbid(unsafe_code)]

pub mod conformance;
pub mod embedded;
pub mod memory;

use bitspath_core::Fault;
use bitspath_core::store::{BindingRow, CdrId, CdrRow, Outcome, Request};

pub use embedded::Embedded;
pub use memory::Memory;

/// Which call records to read; they come in the order of their ids, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CdrQuery {
    pub tenant: Option<String>,
    /// Only records behind this one: the cursor of the next page.
    pub after: Option<CdrId>,
    /// Only calls that were never closed.
    pub open_only: bool,
    /// Most rows of one page; zero means [`PAGE_ROWS_MAX`].
    pub limit: usize,
}

/// Rows of one page. Brim: ask again with `after`.
pub const PAGE_ROWS_MAX: usize = 10_000;

impl CdrQuery {
    fn rows_max(&self) -> usize {
        match self.limit {
            0 => PAGE_ROWS_MAX,
            n => n.min(PAGE_ROWS_MAX),
        }
    }

    fn wants(&self, row: &CdrRow) -> bool {
        self.tenant.as_ref().is_none_or(|t| *t == row.tenant)
            && (!self.open_only || row.ended.is_none())
    }
}

/// One engine. Single-threaded: the host gives it a thread of its own.
pub trait Engine {
    /// Carries out a batch as one commit, on disk before it returns when any request is durable.
    /// One outcome per request, in order; all are the same, because the commit is one.
    fn apply(&mut self, batch: &[Request]) -> Vec<Outcome>;

    /// Puts on disk what was applied without `durable`.
    fn flush(&mut self) -> Result<(), Fault>;

    /// All bindings in the order of tenant, user and contact.
    fn bindings(&self) -> Result<Vec<BindingRow>, Fault>;

    fn cdrs(&self, query: &CdrQuery) -> Result<Vec<CdrRow>, Fault>;
}
