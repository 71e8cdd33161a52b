//! The PBX Node: the verbs, and the parts that they drive.
use crate::config::{Config, Overrides};
use crate::io::{Event, Input, Output, Start};
use crate::query::{Page, Query};
use bitspath_core::{Audit, Fault, Frozen, Instant, Now, freeze};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Empty until `Input::Start`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Node {
    config: Option<Config>,
    overrides: Overrides,
    out: VecDeque<Output>,
    events: u64,
}

impl Node {
    pub fn new() -> Self {
        Node::default()
    }

    /// Reads at most `budget` rows; cannot mutate.
    pub fn query(&self, _now: Now, _query: &Query, _budget: usize) -> Page {
        Page::default()
    }

    /// The configuration in force.
    pub const fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    fn start(&mut self, start: &Start) {
        let text = String::from_utf8_lossy(&start.config);
        match Config::parse(&text) {
            Ok(config) => {
                self.overrides = start.overrides;
                self.config = Some(config.moved(self.overrides));
            }
            Err(errors) => {
                let errors = errors.iter().map(ToString::to_string).collect();
                self.event(Event::StartRefused { errors });
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.events += 1;
        self.out.push_back(Output::Event(self.events, event));
    }
}

impl bitspath_core::Node for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, _now: Now, input: Input) {
        if let Input::Start(start) = input {
            self.start(&start);
        }
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn freeze(&self) -> Frozen {
        freeze::freeze(self)
    }

    fn thaw(frozen: &Frozen) -> Result<Self, Fault> {
        freeze::thaw(&frozen.0)
    }

    fn audit(&self) -> Audit {
        Audit::default()
    }
}
