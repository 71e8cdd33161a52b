//! Non-INVITE client transaction — RFC 3261 §17.1.2 (Figure 6).
//! Owns: the request until its final response, and the absorption of repeated finals.
//! Does not know: dialogs, sockets, clocks.  Missing: nothing.
//!
//! ```text
//!   request ─▶ Trying ──1xx──▶ Proceeding ──200-699──▶ Completed ──Timer K──▶ Terminated
//!                ├────200-699──────│─────────────────────▲                        ▲
//!                └──Timer F, Transport Err.──┴────────────────────────────────────┘
//! ```
use super::timer::{Clock, Timer, TimerTable};
use super::{Act, FailWhy};
use bitspath_core::{Bytes, Duration, Outbox, bug};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Trying { request: Bytes, interval: Duration },
    Proceeding { request: Bytes },
    Completed,
    Terminated,
}

#[derive(Clone, Debug)]
pub enum Event {
    Provisional,
    Final,
    Timer(Timer),
    TransportError,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonInviteClient {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

impl NonInviteClient {
    /// Request from the TU: sent at once.
    pub fn new(clock: Clock<'_>, reliable: bool, request: Bytes, out: &mut Outbox<Act>) -> Self {
        let mut timers = TimerTable::default();
        //= RFC 3261 §17.1.2.2
        // Timer F is 64*T1; over an unreliable transport Timer E starts at T1.
        timers.set(Timer::F, clock.now + clock.timers.give_up());
        if !reliable {
            timers.set(Timer::E, clock.now + clock.timers.t1);
        }
        out.push(Act::Send(request.clone()));
        let state = State::Trying { request, interval: clock.timers.t1 };
        NonInviteClient { state, timers, reliable }
    }

    pub fn handle(&mut self, clock: Clock<'_>, event: Event, out: &mut Outbox<Act>) {
        let next = match (&mut self.state, event) {
            //= RFC 3261 §17.1.2.2
            // In Trying, Timer E doubles up to T2.
            (State::Trying { request, interval }, Event::Timer(Timer::E)) => {
                *interval = clock.timers.doubled(*interval);
                self.timers.set(Timer::E, clock.now + *interval);
                return out.push(Act::Resend(request.clone()));
            }
            //= RFC 3261 §17.1.2.2
            // In Proceeding the request still repeats, every T2.
            (State::Proceeding { request }, Event::Timer(Timer::E)) => {
                self.timers.set(Timer::E, clock.now + clock.timers.t2);
                return out.push(Act::Resend(request.clone()));
            }
            (State::Trying { .. } | State::Proceeding { .. }, Event::Timer(Timer::F)) => {
                out.push(Act::Fail(FailWhy::Timeout));
                State::Terminated
            }
            (State::Trying { .. } | State::Proceeding { .. }, Event::TransportError) => {
                out.push(Act::Fail(FailWhy::Transport));
                State::Terminated
            }
            (State::Trying { request, .. }, Event::Provisional) => {
                out.push(Act::Deliver);
                State::Proceeding { request: request.clone() }
            }
            (State::Proceeding { .. }, Event::Provisional) => return out.push(Act::Deliver),
            (State::Trying { .. } | State::Proceeding { .. }, Event::Final) => {
                out.push(Act::Deliver);
                // Timer K is zero over a reliable transport.
                if self.reliable { State::Terminated } else { State::Completed }
            }
            (State::Completed, Event::Timer(Timer::K)) => State::Terminated,
            // Completed is there to absorb them.
            (State::Completed, Event::Provisional | Event::Final) => return,
            _ => return out.push(Act::Stray),
        };
        self.enter(clock, next);
    }

    /// The only writer of `state`.
    fn enter(&mut self, clock: Clock<'_>, next: State) {
        let legal = match (&self.state, &next) {
            (State::Terminated, _) | (_, State::Trying { .. }) => false,
            (_, State::Terminated) => true,
            (from, State::Proceeding { .. }) => matches!(from, State::Trying { .. }),
            (from, State::Completed) => {
                matches!(from, State::Trying { .. } | State::Proceeding { .. })
            }
        };
        if !legal {
            bug!("non-INVITE client: {} to {}", self.state.name(), next.name());
        }
        match next {
            // E and F run on; a provisional response does not move them.
            State::Proceeding { .. } | State::Trying { .. } => {}
            State::Completed => {
                self.timers.clear();
                self.timers.set(Timer::K, clock.now + clock.timers.t4);
            }
            State::Terminated => self.timers.clear(),
        }
        self.state = next;
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
            State::Trying { .. } => "Trying",
            State::Proceeding { .. } => "Proceeding",
            State::Completed => "Completed",
            State::Terminated => "Terminated",
        }
    }
}
