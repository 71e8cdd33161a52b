//! What the operator and the host ask of a live Node: reload, commands, the end.
use crate::advertise::Advertise;
use crate::config::Config;
use crate::counters::Count;
use crate::drain::Drain;
use crate::io::{Cmd, DoorCounts, Event, Output, Reply};
use crate::live::Live;
use bitspath_core::store::{OpId, Outcome};
use bitspath_core::{Audit, Bytes, Duration, Entropy, Now};

/// How long the end waits for peers that owe an answer to a BYE.
const LAST_ANSWERS: Duration = Duration::from_secs(4);

impl Live {
    pub fn stored(&mut self, op: OpId, outcome: Outcome) {
        if !self.records.stored(op, outcome, &mut self.out) {
            self.counters.add(Count::StoreFailed);
        }
    }

    pub fn records_due(&mut self, now: Now) {
        let lost = self.records.handle_timeout(now, &mut self.out);
        self.counters.add_n(Count::StoreFailed, lost);
    }

    /// A bad text changes nothing. Of a good one, what needs open sockets waits for a restart.
    pub fn reload(&mut self, generation: u64, text: &Bytes) {
        let text = String::from_utf8_lossy(text);
        let mut new = match Config::parse(&text) {
            Ok(config) => config.moved(self.overrides),
            Err(errors) => {
                self.counters.add(Count::ConfigRefused);
                let errors = errors.iter().map(ToString::to_string).collect();
                return self.event(Event::ConfigRefused { generation, errors });
            }
        };
        let needs_restart = self.keep_sockets(&mut new);
        self.directory = new.directory(&mut self.tenant_ids, self.guest);
        self.ports.set_quarantine(new.media.quarantine);
        self.advertise = Advertise::new(&new, self.advertise.host().to_vec());
        self.config = new;
        self.counters.add(Count::ConfigLoaded);
        self.event(Event::ConfigLoaded { generation, needs_restart });
    }

    /// Puts back what only a restart can change; names it.
    fn keep_sockets(&self, new: &mut Config) -> Vec<String> {
        let old = &self.config;
        let mut named = Vec::new();
        let places =
            |c: &Config| -> Vec<_> { c.listeners.iter().map(|l| (l.transport, l.bind)).collect() };
        if places(old) != places(new) {
            named.push("listen".to_owned());
            // Their default tenants are found again by name.
            let tenant_of = |n: usize| old.tenants.get(n).map(|t| t.name.as_str());
            let mut listeners = old.listeners.clone();
            for l in &mut listeners {
                let name = tenant_of(l.tenant);
                l.tenant =
                    new.tenants.iter().position(|t| Some(t.name.as_str()) == name).unwrap_or(0);
            }
            new.listeners = listeners;
        }
        let sockets = |m: &crate::config::Media| (m.ip, m.ports, m.shards);
        if sockets(&old.media) != sockets(&new.media) {
            named.push("media".to_owned());
            let quarantine = new.media.quarantine;
            new.media = crate::config::Media { quarantine, ..old.media.clone() };
            new.limits.calls = new.limits.calls.min(new.media.calls_max());
        }
        if old.limits.bindings != new.limits.bindings {
            named.push("limits.bindings".to_owned());
            new.limits.bindings = old.limits.bindings;
        }
        if old.metrics != new.metrics {
            named.push("metrics".to_owned());
            new.metrics = old.metrics;
        }
        named
    }

    pub fn command(&mut self, now: Now, request: u64, cmd: Cmd) {
        let reply = match cmd {
            Cmd::HangUp { call } => {
                if self.with_calls(now, |calls, cx| calls.hang_up(cx, call)) {
                    Reply::Done
                } else {
                    Reply::NotFound
                }
            }
            Cmd::HangUpAll => {
                self.with_calls(now, |calls, cx| calls.shutdown(cx));
                Reply::Done
            }
            Cmd::Drain => self.hold(Drain::Open, Drain::Held),
            Cmd::Resume => match self.drain {
                Drain::Closed => self.hold(Drain::Closed, Drain::Open),
                _ => self.hold(Drain::Held, Drain::Open),
            },
        };
        self.out.push_back(Output::AdminReply(request, reply));
    }

    fn hold(&mut self, from: Drain, to: Drain) -> Reply {
        if self.drain != from {
            return Reply::NotNow(format!("the server is {:?}", self.drain).to_ascii_lowercase());
        }
        self.drain = to;
        Reply::Done
    }

    pub fn shutdown(&mut self, now: Now, now_end_calls: bool) {
        let (next, end_calls) = self.drain.shutdown(now_end_calls);
        if next != self.drain && next != Drain::Stopped {
            let calls = self.calls.len();
            self.event(Event::Draining { calls });
        }
        self.drain = next;
        if end_calls {
            self.with_calls(now, |calls, cx| calls.shutdown(cx));
        }
    }

    /// Says `Stopped` once: no call, no write unanswered, and the last requests of ended calls
    /// answered or given [`LAST_ANSWERS`].
    pub fn stop_when_empty(&mut self, now: Now) {
        let idle = self.calls.is_empty() && self.records.pending() == 0;
        if !self.drain.wants_to_stop() || !idle {
            // Resumed, or busy again: a deadline left behind would be due for ever.
            self.drain_until = None;
            return;
        }
        let until = *self.drain_until.get_or_insert(now.mono + LAST_ANSWERS);
        let mut audit = Audit::default();
        self.calls.audit(&mut audit);
        if audit.alive(&[]).next().is_none() || now.mono >= until {
            self.drain = Drain::Stopped;
            self.drain_until = None;
            self.out.push_back(Output::Stopped);
        }
    }

    pub fn door(&mut self, counts: DoorCounts) {
        self.counters.add_n(Count::DoorPings, counts.pings);
        self.counters.add_n(Count::DoorStuns, counts.stuns);
        self.counters.add_n(Count::DoorDropped, counts.dropped);
        self.counters.add_n(Count::DoorShed, counts.shed);
    }

    /// A new key for the tokens of calls that begin from now on. Transactions keep theirs: their
    /// To tags are drawn again for every response.
    pub fn rekey(&mut self, key: [u8; 32]) {
        self.entropy = Entropy::new(key);
    }
}
