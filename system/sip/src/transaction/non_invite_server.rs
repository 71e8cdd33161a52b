//! Non-INVITE server transaction — RFC 3261 §17.2.2 (Figure 8), RFC 4320 §4.
//! Owns: the answer to repeated requests; the 100 that RFC 4320 asks for and no other provisional.
//! Does not know: dialogs, sockets, clocks.  Missing: nothing.
//!
//! ```text
//!   request ─▶ Trying ──100──▶ Proceeding ──200-699──▶ Completed ──Timer J──▶ Terminated
//!                ├────200-699──────│─────────────────────▲                        ▲
//!                └──Timer F (RFC 4320: too late to answer)────────────────────────┘
//! ```
//! A transport error ends nothing here: as RFC 6026 §7.1 has it for INVITE, the machine goes on
//! absorbing repeated requests until its timer.
use super::Act;
use super::timer::{Clock, Timer, TimerTable};
use crate::wire::Message;
use alloc::boxed::Box;
use bitspath_core::{Bytes, Outbox, bug};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum State {
    Trying { request: Box<Message> },
    Proceeding { request: Box<Message>, last: Bytes },
    Completed { response: Bytes },
    Terminated,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// The request once more.
    Request,
    /// A 100, from the TU or made because `Act::Trying` asked for it.
    Provisional(Bytes),
    Final(Bytes),
    Timer(Timer),
    TransportError,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NonInviteServer {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

impl NonInviteServer {
    /// The request, which the parent passes to the TU.
    pub fn new(clock: Clock<'_>, reliable: bool, request: Message) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::Trying, clock.now + clock.timers.e_reaches_t2());
        timers.set(Timer::F, clock.now + clock.timers.give_up());
        let state = State::Trying { request: Box::new(request) };
        NonInviteServer { state, timers, reliable }
    }

    pub fn handle(&mut self, clock: Clock<'_>, event: Event, out: &mut Outbox<Act>) {
        let next = match (&mut self.state, event) {
            // Nothing to repeat yet.
            (State::Trying { .. }, Event::Request) => return,
            //= RFC 4320 §4.1
            // Whatever the transport, a 100 once the client's Timer E has reached T2.
            (State::Trying { .. }, Event::Timer(Timer::Trying)) => return out.push(Act::Trying),
            //= RFC 4320 §4.1
            // Over an unreliable transport no 100 before that.
            (State::Trying { request }, Event::Provisional(bytes))
                if self.reliable || !self.timers.is_set(Timer::Trying) =>
            {
                out.push(Act::Send(bytes.clone()));
                State::Proceeding { request: request.clone(), last: bytes }
            }
            (State::Proceeding { last, .. }, Event::Request) => {
                return out.push(Act::Resend(last.clone()));
            }
            (State::Proceeding { last, .. }, Event::Provisional(bytes)) => {
                *last = bytes.clone();
                return out.push(Act::Send(bytes));
            }
            (State::Trying { .. } | State::Proceeding { .. }, Event::Final(response)) => {
                out.push(Act::Send(response.clone()));
                // Timer J is zero over a reliable transport.
                if self.reliable { State::Terminated } else { State::Completed { response } }
            }
            //= RFC 4320 §4.2
            // Too late: the client has given up, so no final response at all.
            (State::Trying { .. } | State::Proceeding { .. }, Event::Timer(Timer::F)) => {
                State::Terminated
            }
            (State::Completed { response }, Event::Request) => {
                return out.push(Act::Resend(response.clone()));
            }
            (State::Completed { .. }, Event::Timer(Timer::J)) => State::Terminated,
            (_, Event::TransportError) => return,
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
            (from, State::Completed { .. }) => {
                matches!(from, State::Trying { .. } | State::Proceeding { .. })
            }
        };
        if !legal {
            bug!("non-INVITE server: {} to {}", self.state.name(), next.name());
        }
        match &next {
            // F runs on.
            State::Proceeding { .. } | State::Trying { .. } => self.timers.cancel(Timer::Trying),
            State::Completed { .. } => {
                self.timers.clear();
                self.timers.set(Timer::J, clock.now + clock.timers.give_up());
            }
            State::Terminated => self.timers.clear(),
        }
        self.state = next;
    }

    /// The request while it has no final response.
    pub fn request(&self) -> Option<&Message> {
        match &self.state {
            State::Trying { request } | State::Proceeding { request, .. } => Some(request),
            _ => None,
        }
    }

    /// The latest response that was sent, while it may still repeat.
    pub fn last_response(&self) -> Option<&Bytes> {
        match &self.state {
            State::Proceeding { last, .. } => Some(last),
            State::Completed { response } => Some(response),
            State::Trying { .. } | State::Terminated => None,
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
        matches!(self.state, State::Terminated)
    }
}

impl State {
    pub const fn name(&self) -> &'static str {
        match self {
            State::Trying { .. } => "Trying",
            State::Proceeding { .. } => "Proceeding",
            State::Completed { .. } => "Completed",
            State::Terminated => "Terminated",
        }
    }
}
