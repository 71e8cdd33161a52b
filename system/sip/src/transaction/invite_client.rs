//! INVITE client transaction — RFC 3261 §17.1.1 with RFC 6026 §8.4 (Figure 5), §9.1 (CANCEL).
//! Owns: the INVITE until its answer, the ACK to a failure, the held-back CANCEL.
//! Does not know: dialogs, sockets, clocks; the ACK to a 2xx.  Missing: nothing.
//!
//! ```text
//!   INVITE ─▶ Calling ──1xx──▶ Proceeding ──300-699──▶ Completed ──Timer D──▶ Terminated
//!               ├──────300-699─────│─────────────────────▲ └──Transport Err.───▲ ▲
//!               ├────────2xx───────┴──2xx──▶ Accepted ──────────Timer M────────┘ │
//!               └──────────────────Timer B, Transport Err.───────────────────────┘
//! ```
//! Beyond the figure: Proceeding also ends by a transport error (its connection is gone, so no
//! answer can come) and by Timer Cancel; a transport error in Completed is not told to the TU,
//! which has its final response already.
use super::ack;
use super::timer::{Clock, Timer, TimerTable};
use super::{Act, FailWhy};
use crate::wire::Message;
use bitspath_core::{Bytes, Duration, Outbox, bug};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Calling { request: Bytes, interval: Duration, cancel: Option<Bytes> },
    Proceeding { request: Bytes },
    Accepted,
    Completed { ack: Bytes },
    Terminated,
}

#[derive(Clone, Debug)]
pub enum Event<'a> {
    Provisional,
    Success,
    Failure(&'a Message),
    /// The TU gives up: this CANCEL goes out as soon as it may.
    Cancel(Bytes),
    Timer(Timer),
    TransportError,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteClient {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

impl InviteClient {
    /// INVITE from the TU: sent at once.
    pub fn new(clock: Clock<'_>, reliable: bool, request: Bytes, out: &mut Outbox<Act>) -> Self {
        let mut timers = TimerTable::default();
        //= RFC 3261 §17.1.1.2
        // Over an unreliable transport Timer A starts at T1; Timer B bounds both kinds by 64*T1.
        if !reliable {
            timers.set(Timer::A, clock.now + clock.timers.t1);
        }
        timers.set(Timer::B, clock.now + clock.timers.give_up());
        out.push(Act::Send(request.clone()));
        let state = State::Calling { request, interval: clock.timers.t1, cancel: None };
        InviteClient { state, timers, reliable }
    }

    pub fn handle(&mut self, clock: Clock<'_>, event: Event<'_>, out: &mut Outbox<Act>) {
        let next = match (&mut self.state, event) {
            //= RFC 3261 §17.1.1.2
            // Timer A doubles without a cap and sends the same octets.
            (State::Calling { request, interval, .. }, Event::Timer(Timer::A)) => {
                *interval = interval.saturating_mul(2);
                self.timers.set(Timer::A, clock.now + *interval);
                return out.push(Act::Resend(request.clone()));
            }
            //= RFC 3261 §9.1
            // Timer B; and 64*T1 after its CANCEL an INVITE counts as cancelled, answer or not.
            (State::Calling { .. }, Event::Timer(Timer::B))
            | (State::Proceeding { .. }, Event::Timer(Timer::Cancel)) => {
                out.push(Act::Fail(FailWhy::Timeout));
                State::Terminated
            }
            (State::Calling { .. } | State::Proceeding { .. }, Event::TransportError) => {
                out.push(Act::Fail(FailWhy::Transport));
                State::Terminated
            }
            //= RFC 3261 §9.1
            // No CANCEL before a provisional response: it waits here.
            (State::Calling { cancel, .. }, Event::Cancel(bytes)) => {
                *cancel = Some(bytes);
                return;
            }
            (State::Calling { request, cancel, .. }, Event::Provisional) => {
                let (request, cancel) = (request.clone(), cancel.take());
                out.push(Act::Deliver);
                self.enter(clock, State::Proceeding { request });
                if let Some(bytes) = cancel {
                    self.cancel(clock, bytes, out);
                }
                return;
            }
            (State::Proceeding { .. }, Event::Provisional) => return out.push(Act::Deliver),
            (State::Proceeding { .. }, Event::Cancel(bytes)) => {
                return self.cancel(clock, bytes, out);
            }
            //= RFC 6026 §8.4
            // The 2xx goes up; its ACK is the TU's. Further ones follow until Timer M.
            (State::Calling { .. } | State::Proceeding { .. }, Event::Success) => {
                out.push(Act::Deliver);
                State::Accepted
            }
            (State::Accepted, Event::Success) => return out.push(Act::Deliver),
            (State::Accepted, Event::Timer(Timer::M)) => State::Terminated,
            //= RFC 6026 §8.4
            // A failure is acknowledged here, even over a reliable transport.
            (
                State::Calling { request, .. } | State::Proceeding { request },
                Event::Failure(response),
            ) => {
                let ack = ack::for_failure(request, response);
                out.push(Act::Send(ack.clone()));
                out.push(Act::Deliver);
                // Timer D is zero over a reliable transport.
                if self.reliable { State::Terminated } else { State::Completed { ack } }
            }
            (State::Completed { ack }, Event::Failure(_)) => {
                return out.push(Act::Resend(ack.clone()));
            }
            (State::Completed { .. }, Event::Timer(Timer::D) | Event::TransportError) => {
                State::Terminated
            }
            _ => return out.push(Act::Stray),
        };
        self.enter(clock, next);
    }

    fn cancel(&mut self, clock: Clock<'_>, bytes: Bytes, out: &mut Outbox<Act>) {
        if self.timers.is_set(Timer::Cancel) {
            return out.push(Act::Stray); // cancelled before; one CANCEL is enough
        }
        self.timers.set(Timer::Cancel, clock.now + clock.timers.give_up());
        out.push(Act::Cancel(bytes));
    }

    /// The only writer of `state`.
    fn enter(&mut self, clock: Clock<'_>, next: State) {
        let legal = match (&self.state, &next) {
            (State::Terminated, _) | (_, State::Calling { .. }) => false,
            (_, State::Terminated) => true,
            (from, State::Proceeding { .. }) => matches!(from, State::Calling { .. }),
            (from, State::Accepted | State::Completed { .. }) => {
                matches!(from, State::Calling { .. } | State::Proceeding { .. })
            }
        };
        if !legal {
            bug!("INVITE client: {} to {}", self.state.name(), next.name());
        }
        self.timers.clear();
        match next {
            State::Accepted => self.timers.set(Timer::M, clock.now + clock.timers.give_up()),
            State::Completed { .. } => self.timers.set(Timer::D, clock.now + clock.timers.d()),
            State::Calling { .. } | State::Proceeding { .. } | State::Terminated => {}
        }
        self.state = next;
    }

    /// The INVITE while a CANCEL may still be made from it.
    pub fn cancellable(&self) -> Option<&Bytes> {
        match &self.state {
            State::Calling { request, .. } | State::Proceeding { request } => Some(request),
            State::Accepted | State::Completed { .. } | State::Terminated => None,
        }
    }

    pub fn state(&self) -> &State {
        &self.state
    }
    pub fn timers(&self) -> &TimerTable {
        &self.timers
    }
    pub fn timers_mut(&mut self) -> &mut TimerTable {
        &mut self.timers
    }
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}

impl State {
    pub const fn name(&self) -> &'static str {
        match self {
            State::Calling { .. } => "Calling",
            State::Proceeding { .. } => "Proceeding",
            State::Accepted => "Accepted",
            State::Completed { .. } => "Completed",
            State::Terminated => "Terminated",
        }
    }
}
