//! Timers of the transactions — RFC 3261 §17 and Table 4, RFC 6026 §7, RFC 4320 §4.1.
//! Owns: the RFC's letters, their base values, the few deadlines that one transaction has armed.
//! Does not know: clocks.  Missing: Timer C (proxies only; the leg bounds its own ringing).
use bitspath_core::{Duration, Instant, bug};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A deadline of one transaction, by the RFC's own letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for retransmitted failure responses.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE transaction timeout; on the server side, RFC 4320's end of the matter.
    F,
    /// INVITE failure response retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted non-INVITE responses.
    K,
    /// Wait for retransmitted INVITEs after a 2xx.
    L,
    /// Wait for further 2xx.
    M,
    /// The TU has been silent for so long that a 100 is due.
    Trying,
    /// A cancelled INVITE must end, RFC 3261 §9.1.
    Cancel,
}

impl Timer {
    /// The reason that `poll_timeout` gives for this deadline.
    pub const fn reason(self) -> &'static str {
        match self {
            Timer::A => "timer A: INVITE again",
            Timer::B => "timer B: INVITE unanswered",
            Timer::D => "timer D: failure responses may repeat",
            Timer::E => "timer E: request again",
            Timer::F => "timer F: request unanswered",
            Timer::G => "timer G: failure response again",
            Timer::H => "timer H: no ACK",
            Timer::I => "timer I: ACKs may repeat",
            Timer::J => "timer J: requests may repeat",
            Timer::K => "timer K: responses may repeat",
            Timer::L => "timer L: INVITEs may repeat after 2xx",
            Timer::M => "timer M: 2xx may repeat",
            Timer::Trying => "100 Trying is due",
            Timer::Cancel => "cancelled INVITE unanswered",
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The base values, RFC 3261 Table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timers {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timers {
    /// Timers B, F, H, J, L and M.
    pub fn give_up(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: the far server's T1 is unknown, so never less than its default of 32 s.
    pub fn d(&self) -> Duration {
        self.give_up().max(Duration::from_secs(32))
    }

    /// The next interval of E, G and the 2xx: doubled up to T2.
    pub fn doubled(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2)
    }

    //= RFC 4320 §4.1
    /// How long a client's Timer E takes until it is reset to T2.
    pub fn e_reaches_t2(&self) -> Duration {
        let (mut passed, mut interval) = (Duration::ZERO, self.t1);
        while !interval.is_zero() && interval < self.t2 {
            passed = passed.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        passed
    }
}

/// How long an INVITE may lie before the server transaction answers 100, RFC 3261 §17.2.1.
pub const TRYING_AFTER: Duration = Duration::from_millis(200);

/// What a machine needs to arm a deadline.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a> {
    pub now: Instant,
    pub timers: &'a Timers,
}

/// The deadlines that a transaction has armed: never more than two at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerTable {
    armed: [Option<(Timer, Instant)>; 2],
}

impl TimerTable {
    /// Arms or moves `timer`.
    pub fn set(&mut self, timer: Timer, due: Instant) {
        self.cancel(timer);
        match self.armed.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some((timer, due)),
            None => bug!("no room for timer {timer}"),
        }
    }

    pub fn cancel(&mut self, timer: Timer) {
        for slot in &mut self.armed {
            slot.take_if(|(t, _)| *t == timer);
        }
    }

    pub fn clear(&mut self) {
        self.armed = [None; 2];
    }

    pub fn is_set(&self, timer: Timer) -> bool {
        self.iter().any(|(t, _)| t == timer)
    }

    /// The next deadline; of two equal ones the earlier letter.
    pub fn next(&self) -> Option<(Instant, Timer)> {
        self.iter().map(|(timer, due)| (due, timer)).min()
    }

    /// Takes the next timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (_, timer) = self.next().filter(|(due, _)| *due <= now)?;
        self.cancel(timer);
        Some(timer)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Timer, Instant)> + '_ {
        self.armed.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_e_reaches_t2_after_three_and_a_half_seconds() {
        //= RFC 4320 §4.1 type=test
        assert_eq!(Timers::default().e_reaches_t2(), Duration::from_millis(3500));
        let odd = Timers { t1: Duration::ZERO, ..Timers::default() };
        assert_eq!(odd.e_reaches_t2(), Duration::ZERO);
    }

    #[test]
    fn timers_fire_in_the_order_of_their_deadlines() {
        let mut table = TimerTable::default();
        table.set(Timer::B, Instant(9));
        table.set(Timer::A, Instant(5));
        table.set(Timer::A, Instant(7));
        assert_eq!(table.pop_due(Instant(6)), None);
        assert_eq!(table.pop_due(Instant(20)), Some(Timer::A));
        assert_eq!(table.next(), Some((Instant(9), Timer::B)));
        table.clear();
        assert_eq!(table.pop_due(Instant(20)), None);
    }
}
