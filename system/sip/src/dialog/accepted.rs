//! The callee's wait for the ACK to its 2xx — RFC 3261 §13.3.1.4.
//! Owns: when the 2xx repeats, and when to give up and send BYE.
//! Does not know: the 2xx itself; the endpoint's `retransmit` has it. Independent of transports.
//! Missing: nothing.
//!
//! ```text
//!   2xx sent ─▶ Waiting ──ACK──▶ Acknowledged
//!                │   ▲└─64*T1──▶ GivenUp (BYE)
//!                └T1,2*T1…T2: again
//! ```
use crate::transaction::Timers;
use bitspath_core::{Duration, Instant};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    Waiting { again: Instant, interval: Duration, give_up: Instant },
    Acknowledged,
    GivenUp,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// Send the 2xx once more.
    Again,
    /// No ACK came: the session is to be ended by BYE.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accepted {
    state: State,
    timers: Timers,
}

impl Accepted {
    /// A 2xx has been handed to the INVITE server transaction.
    pub fn new(now: Instant, timers: &Timers) -> Accepted {
        let give_up = now + timers.give_up();
        let state = State::Waiting { again: now + timers.t1, interval: timers.t1, give_up };
        Accepted { state, timers: *timers }
    }

    /// The ACK of this 2xx; `true` when it is the first one (later ones are absorbed).
    pub fn acknowledge(&mut self) -> bool {
        let first = matches!(self.state, State::Waiting { .. });
        if first {
            self.state = State::Acknowledged;
        }
        first
    }

    //= RFC 3261 §13.3.1.4
    /// The interval starts at T1 and doubles up to T2; after 64*T1 without an ACK it is over.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        let State::Waiting { again, interval, give_up } = self.state else { return None };
        if give_up <= now {
            self.state = State::GivenUp;
            return Some(Due::GiveUp);
        }
        if now < again {
            return None;
        }
        let interval = self.timers.doubled(interval);
        self.state = State::Waiting { again: now + interval, interval, give_up };
        Some(Due::Again)
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Waiting { again, give_up, .. } if again < give_up => Some((again, "2xx again")),
            State::Waiting { give_up, .. } => Some((give_up, "2xx without ACK")),
            State::Acknowledged | State::GivenUp => None,
        }
    }

    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }
}
