//! What is written down, behind the call path — rule 9 of the house. Every request has a number
//! that is never used twice, a deadline and a reason; keys are the Node's, so repeating is
//! harmless.
//! Owns: numbering, credits, deadlines, counts of what failed. Does not know: engines.
//! Brim: [`STORE_PENDING_MAX`] unanswered requests; what comes then is not sent and counted as
//! lost.
//!
//! ```text
//!   write ─▶ pending ─Done▶ forgotten        pending ─Full, Failed, 30 s▶ failed, counted
//! ```
use crate::io::{Event, Output};
use bitspath_core::limits::{STORE_PENDING_MAX, STORE_WAIT};
use bitspath_core::pending::Pending;
use bitspath_core::store::{CdrCause, CdrRow, OpId, Outcome, Request, Write};
use bitspath_core::{Audit, Instant, Now};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Why we wait for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    Binding,
    CdrOpened,
    CdrClosed,
}

impl Why {
    const fn of(write: &Write) -> Why {
        match write {
            Write::PutBinding(_) | Write::DeleteBinding { .. } => Why::Binding,
            Write::PutCdr(row) if matches!(row.cause, CdrCause::Open) => Why::CdrOpened,
            Write::PutCdr(_) => Why::CdrClosed,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Why::Binding => "registration",
            Why::CdrOpened => "call record at the answer",
            Why::CdrClosed => "call record",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Records {
    ops: u64,
    pending: Pending<OpId, Why>,
    /// Requests that failed, timed out, or were never sent.
    failed: u64,
    /// The last one failed: the next failure is no news.
    failing: bool,
}

impl Default for Records {
    fn default() -> Self {
        Records { ops: 0, pending: Pending::new(STORE_PENDING_MAX), failed: 0, failing: false }
    }
}

impl Records {
    /// Sends one write. `durable`: the answer comes only after it is on disk.
    pub fn write(&mut self, now: Now, write: Write, durable: bool, out: &mut VecDeque<Output>) {
        let why = Why::of(&write);
        let op = OpId(self.ops + 1);
        match self.pending.wait(op, now.mono + STORE_WAIT, why) {
            Ok(()) => {
                self.ops += 1;
                out.push_back(Output::Store(Request { op, write, durable }));
            }
            Err(_) => self.fail(why, "too many writes unanswered", out),
        }
    }

    /// A call record: durable from the answer on, so that a crash cannot hide an answered call.
    pub fn put_cdr(&mut self, now: Now, row: CdrRow, out: &mut VecDeque<Output>) {
        self.write(now, Write::PutCdr(row), true, out);
    }

    /// The engine's answer. False when the write failed.
    pub fn stored(&mut self, op: OpId, outcome: Outcome, out: &mut VecDeque<Output>) -> bool {
        // One that came after its deadline was counted as failed then.
        let Some(why) = self.pending.done(op) else { return true };
        match outcome {
            Outcome::Done => self.failing = false,
            Outcome::Full => self.fail(why, "the disk is full", out),
            Outcome::Failed => self.fail(why, "the store refused", out),
        }
        outcome == Outcome::Done
    }

    /// Gives up requests without an answer; gives their number.
    pub fn handle_timeout(&mut self, now: Now, out: &mut VecDeque<Output>) -> u64 {
        let mut lost = 0;
        while let Some((_, why)) = self.pending.pop_due(now.mono) {
            self.fail(why, "no answer from the store", out);
            lost += 1;
        }
        lost
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.pending.next().map(|due| (due, "answer of the store"))
    }

    /// Calls that were up when the last process died: each is closed once.
    pub fn restart(&mut self, now: Now, open: Vec<CdrRow>, out: &mut VecDeque<Output>) {
        for mut row in open.into_iter().filter(|row| row.cause == CdrCause::Open) {
            row.cause = CdrCause::Restart;
            row.ended = Some(now.wall);
            // When it ended is not known: billed time stays what was written, zero.
            self.put_cdr(now, row, out);
        }
    }

    pub fn pending(&self) -> usize {
        self.pending.len()
    }
    pub fn failed(&self) -> u64 {
        self.failed
    }

    pub fn audit(&self, audit: &mut Audit) {
        audit.set("store_pending", self.pending.len());
    }

    fn fail(&mut self, why: Why, what: &str, out: &mut VecDeque<Output>) {
        self.failed += 1;
        if !self.failing {
            self.failing = true;
            let what = format!("{}: {what}", why.as_str());
            out.push_back(Output::Event(0, Event::Fault { what }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspath_core::store::CdrId;
    use bitspath_core::{Duration, UnixTime};

    fn row(cause: CdrCause) -> CdrRow {
        CdrRow {
            id: CdrId(1),
            tenant: "demo".into(),
            caller: "1001".into(),
            callee: "1002".into(),
            call_id: "x".into(),
            started: UnixTime(1),
            answered: Some(UnixTime(2)),
            ended: None,
            billed: Duration::ZERO,
            cause,
            status: 200,
            packets: [0, 0],
        }
    }

    fn at(s: u64) -> Now {
        Now { mono: Instant(s * 1_000_000_000), wall: UnixTime(s * 1_000_000_000) }
    }

    #[test]
    fn every_write_is_answered_or_given_up_at_its_deadline() {
        let (mut records, mut out) = (Records::default(), VecDeque::new());
        records.put_cdr(at(0), row(CdrCause::Open), &mut out);
        records.put_cdr(at(1), row(CdrCause::Shutdown), &mut out);
        let ops: Vec<OpId> = out
            .drain(..)
            .filter_map(|o| if let Output::Store(r) = o { Some(r.op) } else { None })
            .collect();
        assert_eq!(ops.len(), 2);
        assert!(records.stored(ops[0], Outcome::Done, &mut out));
        assert_eq!(records.poll_timeout().map(|(due, _)| due), Some(at(31).mono));
        assert_eq!(records.handle_timeout(at(31), &mut out), 1);
        assert_eq!((records.pending(), records.failed()), (0, 1));
        // The late answer finds nothing.
        assert!(records.stored(ops[1], Outcome::Done, &mut out));
    }

    #[test]
    fn only_the_first_of_several_failures_is_news() {
        let (mut records, mut out) = (Records::default(), VecDeque::new());
        for n in 1..=3 {
            records.put_cdr(at(0), row(CdrCause::Busy), &mut out);
            assert!(!records.stored(OpId(n), Outcome::Full, &mut out));
        }
        let faults = out.iter().filter(|o| matches!(o, Output::Event(_, Event::Fault { .. })));
        assert_eq!((faults.count(), records.failed()), (1, 3));
    }

    #[test]
    fn a_restart_closes_each_open_record_once() {
        let (mut records, mut out) = (Records::default(), VecDeque::new());
        records.restart(at(9), vec![row(CdrCause::Open), row(CdrCause::Busy)], &mut out);
        let written: Vec<_> = out
            .iter()
            .filter_map(|o| match o {
                Output::Store(Request { write: Write::PutCdr(row), .. }) => Some(row),
                _ => None,
            })
            .collect();
        assert_eq!(written.len(), 1);
        assert_eq!((written[0].cause, written[0].ended), (CdrCause::Restart, Some(at(9).wall)));
    }
}
