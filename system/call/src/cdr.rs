//! The call record: one per attempt, opened at the answer, closed exactly once (rule 9).
//! Owns: dates, cause, billed time, packet counts.  Does not know: the store.
//!
//! ```text
//!   Attempt ──answer──▶ Open ──hang-up──▶ Counting ──statistics or 1 s──▶ Closed
//!      └──refused, cancelled──────────────────┘
//! ```
use crate::facts::Setup;
use alloc::string::{String, ToString};
use bitspath_core::store::{CdrCause, CdrRow};
use bitspath_core::{Duration, Instant, Now, UnixTime};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub row: CdrRow,
    answered: Option<Instant>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Attempt,
    Open,
    Counting,
    Closed,
}

/// The record of an attempt that has just begun; also what burial starts from.
pub fn draft(setup: &Setup, call_id: &str, started: UnixTime) -> CdrRow {
    CdrRow {
        id: setup.cdr,
        tenant: setup.tenant.clone(),
        caller: setup.caller.clone(),
        callee: setup.callee.clone(),
        call_id: call_id.to_string(),
        started,
        answered: None,
        ended: None,
        billed: Duration::ZERO,
        cause: CdrCause::Open,
        status: 0,
        packets: [0, 0],
    }
}

impl Record {
    pub fn new(row: CdrRow) -> Record {
        Record { row, answered: None, stage: Stage::Attempt }
    }

    pub fn call_id(&self) -> &String {
        &self.row.call_id
    }

    /// The caller gets 2xx: the record to make durable, once.
    pub fn answer(&mut self, now: Now) -> Option<CdrRow> {
        if self.stage != Stage::Attempt {
            return None;
        }
        self.stage = Stage::Open;
        self.answered = Some(now.mono);
        self.row.answered = Some(now.wall);
        self.row.status = 200;
        Some(self.row.clone())
    }

    /// The final status that the caller was refused with.
    pub fn refused(&mut self, status: u16) {
        if self.stage == Stage::Attempt {
            self.row.status = status;
        }
    }

    /// The first cause stands; later ones are echoes of it.
    pub fn end(&mut self, now: Now, cause: CdrCause) {
        if !matches!(self.stage, Stage::Attempt | Stage::Open) {
            return;
        }
        self.row.ended = Some(now.wall);
        self.row.cause = cause;
        self.row.billed = self.answered.map_or(Duration::ZERO, |at| now.mono.since(at));
        self.stage = Stage::Counting;
    }

    /// Packets relayed from the caller (side 0) or the callee (side 1).
    pub fn count(&mut self, side: usize, packets: u64) {
        if let (Stage::Counting, Some(slot)) = (self.stage, self.row.packets.get_mut(side)) {
            *slot = packets;
        }
    }

    /// The closed record, exactly once.
    pub fn close(&mut self) -> Option<CdrRow> {
        if self.stage != Stage::Counting {
            return None;
        }
        self.stage = Stage::Closed;
        Some(self.row.clone())
    }

    pub fn is_answered(&self) -> bool {
        self.answered.is_some()
    }
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }
}
