//! The PBX Node: the four verbs, freeze and thaw, audit. Empty until `Input::Start`; a start that
//! is refused says why and stops.
//!
//! ```text
//!   handle ─▶ Live (endpoint ▶ dispatch ▶ registrar | calls) ─▶ outputs, numbered as they leave
//! ```
use crate::config::Config;
use crate::io::{Event, Input, Output, Start};
use crate::live::Live;
use crate::query::{Page, Query};
use bitspath_core::{Audit, Fault, Frozen, Instant, Now, freeze};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Node {
    live: Option<Box<Live>>,
    /// What a Node that never came alive has to say.
    last_words: VecDeque<Output>,
    /// Events that have left; the next has this number plus one.
    events: u64,
}

impl Node {
    pub fn new() -> Self {
        Node::default()
    }

    /// Reads at most `budget` rows; cannot mutate.
    pub fn query(&self, now: Now, query: &Query, budget: usize) -> Page {
        self.live.as_ref().map(|live| live.query(now, query, budget)).unwrap_or_default()
    }

    /// The configuration in force.
    pub fn config(&self) -> Option<&Config> {
        self.live.as_ref().map(|live| &live.config)
    }

    /// For tests: a panic in the n-th step of a call from now; see [`crate::calls::Calls`].
    #[cfg(feature = "plant")]
    pub fn plant(&mut self, step: Option<u64>) {
        if let Some(live) = &mut self.live {
            live.calls.plant = step;
        }
    }

    fn start(&mut self, now: Now, start: Start) {
        if self.live.is_some() {
            return;
        }
        match Live::start(now, start) {
            Ok(live) => self.live = Some(Box::new(live)),
            Err(errors) => {
                self.last_words.push_back(Output::Event(0, Event::StartRefused { errors }));
                self.last_words.push_back(Output::Stopped);
            }
        }
    }
}

impl bitspath_core::Node for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        match (input, &mut self.live) {
            (Input::Start(start), _) => self.start(now, *start),
            (input, Some(live)) => live.handle(now, input),
            (_, None) => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if let Some(live) = &mut self.live {
            live.handle_timeout(now);
        }
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.live.as_ref()?.poll_timeout()
    }

    fn poll_output(&mut self) -> Option<Output> {
        let queue = match &mut self.live {
            Some(live) => &mut live.out,
            None => &mut self.last_words,
        };
        Some(match queue.pop_front()? {
            // Whoever says an event leaves its number open; here it gets the next.
            Output::Event(_, event) => {
                self.events += 1;
                Output::Event(self.events, event)
            }
            output => output,
        })
    }

    fn freeze(&self) -> Frozen {
        freeze::freeze(self)
    }

    fn thaw(frozen: &Frozen) -> Result<Self, Fault> {
        freeze::thaw(&frozen.0)
    }

    fn audit(&self) -> Audit {
        self.live.as_ref().map(|live| live.audit()).unwrap_or_default()
    }
}
