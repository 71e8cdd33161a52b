//! One CDR per call attempt, and a truthful one: what the caller was told against what was written.
//! An attempt is an INVITE outside a dialog that got past the challenge.
//! Missing: attempts that were never answered at all because the caller vanished.
use super::Say;
use crate::seen::Seen;
use bitspath_core::store::{CdrCause, CdrId, CdrRow};
use bitspath_core::{Duration, Instant};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
struct Attempt {
    /// The final that the caller got.
    status: u16,
    answered: Option<Instant>,
    ended: Option<Instant>,
}

#[derive(Debug, Default)]
pub struct Attempts {
    /// By the Call-ID of the caller's leg.
    attempts: BTreeMap<String, Attempt>,
    /// Closed records as they were written, in order.
    pub records: BTreeMap<CdrId, CdrRow>,
    lost_memory: bool,
}

/// Between the answer's way out and the record's two clocks.
const TOLERANCE: Duration = Duration::from_millis(100);

/// Finals after which no call was attempted: syntax, loops, challenges, merges, extensions, and the
/// answers to a re-INVITE.
const NO_ATTEMPT: [u16; 16] =
    [400, 401, 403, 405, 407, 413, 415, 416, 420, 481, 482, 483, 491, 500, 501, 505];

impl Attempts {
    pub(super) fn sip(&mut self, now: Instant, seen: &Seen, again: bool) {
        if again {
            return;
        }
        let status = seen.status();
        match (seen.is_request(), seen.method()) {
            (false, "INVITE") if status >= 200 => {
                if let Some(known) = self.attempts.get(seen.call_id()) {
                    // A re-INVITE: the first final stands.
                    if known.status != 0 {
                        return;
                    }
                } else if NO_ATTEMPT.contains(&status) || status == 503 {
                    return;
                }
                let attempt = self.attempts.entry(seen.call_id().to_owned()).or_default();
                attempt.status = status;
                if status < 300 {
                    attempt.answered = Some(now);
                } else {
                    attempt.ended = Some(now);
                }
            }
            (false, "BYE") if status < 300 => self.over(now, seen.call_id()),
            (true, "BYE") => self.over(now, seen.call_id()),
            _ => {}
        }
    }

    fn over(&mut self, now: Instant, call_id: &str) {
        if let Some(attempt) = self.attempts.get_mut(call_id) {
            attempt.ended.get_or_insert(now);
        }
    }

    pub(super) fn record(&mut self, row: &CdrRow, say: &mut Say<'_>) {
        if row.cause == CdrCause::Open {
            return;
        }
        match self.records.get(&row.id) {
            Some(known) if known == row => {}
            Some(_) => say("one CDR per call", format!("{} was closed twice", row.id)),
            None => {
                let twin = self.records.values().find(|r| r.call_id == row.call_id);
                if twin.is_some() {
                    say("one CDR per call", format!("a second record for {}", row.call_id));
                }
                self.truth(row, say);
                self.records.insert(row.id, row.clone());
            }
        }
    }

    fn truth(&self, row: &CdrRow, say: &mut Say<'_>) {
        let Some(attempt) = self.attempts.get(&row.call_id) else { return };
        if attempt.status != row.status && attempt.status != 0 && row.cause != CdrCause::Restart {
            let what = format!("the caller got {}, the record says {}", attempt.status, row.status);
            say("a CDR is truthful", what);
        }
        let truly = match (attempt.answered, attempt.ended) {
            (Some(from), Some(to)) => to.since(from),
            (Some(_), None) => return,
            _ => Duration::ZERO,
        };
        let told = row.billed;
        if truly.abs_diff(told) > TOLERANCE && row.cause != CdrCause::Restart {
            say("a CDR is truthful", format!("billed {told:?} for a call of {truly:?}"));
        }
        if row.answered.is_some() != attempt.answered.is_some() {
            say("a CDR is truthful", "answered in the record or on the wire, not both".to_owned());
        }
    }

    pub(super) fn at_rest(&self, say: &mut Say<'_>) {
        if self.lost_memory {
            return;
        }
        for (call_id, attempt) in &self.attempts {
            let records = self.records.values().filter(|r| r.call_id == *call_id).count();
            if records != 1 {
                let what = format!("{records} records for {call_id}, answered {}", attempt.status);
                say("one CDR per call", what);
            }
        }
    }

    pub(super) fn crashed(&mut self) {
        self.lost_memory = true;
        self.attempts.clear();
    }
}
