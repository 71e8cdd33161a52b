//! INVITE server transaction — RFC 3261 §17.2.1 with RFC 6026 §7.1, §8.6 (Figure 7).
//! Owns: the answer to repeated INVITEs, the failure response until its ACK, the belated 100.
//! Does not know: dialogs, sockets, clocks; when a 2xx repeats (the TU's, RFC 3261 §13.3.1.4).
//! Missing: nothing.
//!
//! ```text
//!   INVITE ─▶ Proceeding ──300-699──▶ Completed ──ACK──▶ Confirmed ──Timer I──▶ Terminated
//!                  │                      └──────────Timer H──────────────────▲ ▲
//!                  └────2xx────▶ Accepted ─────────────Timer L──────────────────┘
//! ```
use super::Act;
use super::timer::{Clock, TRYING_AFTER, Timer, TimerTable};
use crate::wire::Message;
use alloc::boxed::Box;
use bitspath_core::{Bytes, Duration, Outbox, bug};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum State {
    Proceeding { request: Box<Message>, last: Option<Bytes> },
    Accepted { response: Bytes },
    Completed { response: Bytes, interval: Duration },
    Confirmed,
    Terminated,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// The INVITE once more.
    Request,
    Ack,
    Provisional(Bytes),
    Success(Bytes),
    Failure(Bytes),
    /// The TU repeats its 2xx.
    Again,
    /// The TU has taken the call on: if it stays silent, answer 100.
    Trying,
    Timer(Timer),
    TransportError,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteServer {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

impl InviteServer {
    /// The INVITE, which the parent passes to the TU.
    pub fn new(reliable: bool, request: Message) -> Self {
        let state = State::Proceeding { request: Box::new(request), last: None };
        InviteServer { state, timers: TimerTable::default(), reliable }
    }

    pub fn handle(&mut self, clock: Clock<'_>, event: Event, out: &mut Outbox<Act>) {
        let next = match (&mut self.state, event) {
            //= RFC 3261 §17.2.1
            // A repeated INVITE gets the latest provisional response, if there was one.
            (State::Proceeding { last, .. }, Event::Request) => {
                if let Some(bytes) = last {
                    out.push(Act::Resend(bytes.clone()));
                }
                return;
            }
            (State::Proceeding { last, .. }, Event::Provisional(bytes)) => {
                *last = Some(bytes.clone());
                self.timers.cancel(Timer::Trying);
                return out.push(Act::Send(bytes));
            }
            //= RFC 3261 §17.2.1
            // A 100 after 200 ms, unless the TU has answered by then.
            (State::Proceeding { last: None, .. }, Event::Trying) => {
                return self.timers.set(Timer::Trying, clock.now + TRYING_AFTER);
            }
            (State::Proceeding { .. }, Event::Trying) => return,
            (State::Proceeding { last: None, .. }, Event::Timer(Timer::Trying)) => {
                return out.push(Act::Trying);
            }
            (State::Proceeding { .. }, Event::Failure(response)) => {
                out.push(Act::Send(response.clone()));
                State::Completed { response, interval: clock.timers.t1 }
            }
            //= RFC 6026 §7.1
            // A 2xx is sent once from here; then INVITEs are absorbed until Timer L.
            (State::Proceeding { .. }, Event::Success(response)) => {
                out.push(Act::Send(response.clone()));
                State::Accepted { response }
            }
            (State::Accepted { .. }, Event::Request) => return,
            (State::Accepted { response }, Event::Again) => {
                return out.push(Act::Resend(response.clone()));
            }
            (State::Accepted { .. }, Event::Ack) => return out.push(Act::Deliver),
            (State::Accepted { .. }, Event::Timer(Timer::L)) => State::Terminated,
            (State::Completed { response, .. }, Event::Request) => {
                return out.push(Act::Resend(response.clone()));
            }
            //= RFC 3261 §17.2.1
            // Timer G doubles up to T2, until the ACK or Timer H.
            (State::Completed { response, interval }, Event::Timer(Timer::G)) => {
                *interval = clock.timers.doubled(*interval);
                self.timers.set(Timer::G, clock.now + *interval);
                return out.push(Act::Resend(response.clone()));
            }
            (State::Completed { .. }, Event::Timer(Timer::H)) => State::Terminated,
            (State::Completed { .. }, Event::Ack) => {
                // Timer I is zero over a reliable transport.
                if self.reliable { State::Terminated } else { State::Confirmed }
            }
            // Confirmed is there to absorb them.
            (State::Confirmed, Event::Ack | Event::Request) => return,
            (State::Confirmed, Event::Timer(Timer::I)) => State::Terminated,
            //= RFC 6026 §7.1
            // A transport error does not end a server transaction: it goes on absorbing.
            (_, Event::TransportError) => return,
            _ => return out.push(Act::Stray),
        };
        self.enter(clock, next);
    }

    /// The only writer of `state`.
    fn enter(&mut self, clock: Clock<'_>, next: State) {
        let legal = match (&self.state, &next) {
            (State::Terminated, _) | (_, State::Proceeding { .. }) => false,
            (from, State::Accepted { .. } | State::Completed { .. }) => {
                matches!(from, State::Proceeding { .. })
            }
            (from, State::Confirmed) => matches!(from, State::Completed { .. }),
            (from, State::Terminated) => !matches!(from, State::Proceeding { .. }),
        };
        if !legal {
            bug!("INVITE server: {} to {}", self.state.name(), next.name());
        }
        self.timers.clear();
        match &next {
            State::Accepted { .. } => {
                self.timers.set(Timer::L, clock.now + clock.timers.give_up());
            }
            //= RFC 3261 §17.2.1
            // Completed waits for the ACK at most 64*T1, on every transport.
            State::Completed { interval, .. } => {
                self.timers.set(Timer::H, clock.now + clock.timers.give_up());
                if !self.reliable {
                    self.timers.set(Timer::G, clock.now + *interval);
                }
            }
            State::Confirmed => self.timers.set(Timer::I, clock.now + clock.timers.t4),
            State::Proceeding { .. } | State::Terminated => {}
        }
        self.state = next;
    }

    /// The INVITE while it has no final response.
    pub fn request(&self) -> Option<&Message> {
        match &self.state {
            State::Proceeding { request, .. } => Some(request),
            _ => None,
        }
    }

    /// The latest response that was sent, while it may still repeat.
    pub fn last_response(&self) -> Option<&Bytes> {
        match &self.state {
            State::Proceeding { last, .. } => last.as_ref(),
            State::Accepted { response } | State::Completed { response, .. } => Some(response),
            State::Confirmed | State::Terminated => None,
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
            State::Proceeding { .. } => "Proceeding",
            State::Accepted { .. } => "Accepted",
            State::Completed { .. } => "Completed",
            State::Confirmed => "Confirmed",
            State::Terminated => "Terminated",
        }
    }
}
