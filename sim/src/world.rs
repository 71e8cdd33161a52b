//! The World: a heap of events, one host per Node, virtual time that jumps from event to event.
//! Law of the verbs: due timers before an input of the same time; after every call the host has
//! drained its outputs and its deadline is read again.
//! Ends: the heap is empty, the caller's time is up, an oracle is broken, or the event budget is
//! spent (a livelock).
use crate::host::{Host, HostId, StreamId};
use crate::kernel::{Cx, Event, Kernel};
use crate::mix::{Draw, chance, mix};
use bitspath_core::{Bytes, Instant};
use std::any::Any;
use std::net::{IpAddr, SocketAddr};

/// Events of one run; a run that needs more is going in circles.
pub const EVENTS_MAX: u64 = 5_000_000;

pub struct World {
    pub kernel: Kernel,
    hosts: Vec<Box<dyn Host>>,
    /// The earliest timer event in the heap for each host.
    pushed: Vec<Option<Instant>>,
    /// Chance in a million that a step freezes and thaws its host first.
    pub thaw_ppm: u32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done,
    /// The next event lies after the bound; nothing happened.
    Late,
    /// No event is left.
    Empty,
    /// The event budget is spent.
    Livelock,
}

impl World {
    pub fn new(seed: u64) -> World {
        World { kernel: Kernel::new(seed), hosts: Vec::new(), pushed: Vec::new(), thaw_ppm: 0 }
    }

    pub fn add(&mut self, name: &str, ips: &[IpAddr], host: Box<dyn Host>) -> HostId {
        let id = self.kernel.network.add_host(name, ips);
        self.hosts.push(host);
        self.pushed.push(None);
        self.kernel.down.push(false);
        id
    }

    /// A host as what it really is.
    pub fn host<T: Host>(&self, id: HostId) -> Option<&T> {
        let host: &dyn Any = self.hosts.get(usize::from(id.0))?.as_ref();
        host.downcast_ref()
    }

    /// Lets the driver act on a host, as an operator or a phone's user does.
    pub fn act<T: Host, R>(
        &mut self,
        id: HostId,
        f: impl FnOnce(&mut T, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let host: &mut dyn Any = self.hosts.get_mut(usize::from(id.0))?.as_mut();
        let host = host.downcast_mut::<T>()?;
        let result = f(host, &mut Cx { kernel: &mut self.kernel, host: id });
        self.rearm(id);
        Some(result)
    }

    /// One event, if one is due by `until`.
    pub fn step(&mut self, until: Instant) -> Step {
        match self.kernel.next_at() {
            None => return Step::Empty,
            Some(at) if at > until => {
                self.kernel.now = self.kernel.now.max(until);
                return Step::Late;
            }
            Some(_) => {}
        }
        let Some(event) = self.kernel.pop() else { return Step::Empty };
        if self.kernel.events >= EVENTS_MAX {
            return Step::Livelock;
        }
        match event {
            Event::Packet { host, from, to, bytes } => {
                self.enter(host, |h, cx| h.packet(cx, from, to, bytes));
            }
            Event::Later { host, token } => self.enter(host, |h, cx| h.later(cx, token)),
            Event::Stream { stream, side } => self.stream(stream, side),
            Event::Timer { host } => self.timer(host),
        }
        Step::Done
    }

    fn stream(&mut self, stream: StreamId, side: usize) {
        let Some(s) = self.kernel.network.streams.get_mut(stream.0 as usize) else { return };
        let Some(input) = s.queue[side].pop_front() else { return };
        let host = s.ends[side].host;
        self.enter(host, |h, cx| h.stream(cx, stream, input));
    }

    fn timer(&mut self, id: HostId) {
        let at = usize::from(id.0);
        let now = self.kernel.now;
        if self.pushed.get(at).copied().flatten() != Some(now) {
            return;
        }
        self.pushed[at] = None;
        match self.hosts.get(at).and_then(|h| h.deadline()) {
            Some(due) if due <= now => self.enter(id, |h, cx| h.timeout(cx)),
            _ => self.rearm(id),
        }
    }

    fn enter(&mut self, id: HostId, f: impl FnOnce(&mut dyn Host, &mut Cx<'_>)) {
        let at = usize::from(id.0);
        if self.kernel.down.get(at).copied().unwrap_or(true) {
            return;
        }
        self.kernel.count(id);
        let Some(host) = self.hosts.get_mut(at) else { return };
        if self.thaw_ppm > 0 {
            let draw = mix(self.kernel.seed, at as u64, self.kernel.events, Draw::Thaw);
            if chance(draw, self.thaw_ppm) {
                host.freeze_thaw();
            }
        }
        f(host.as_mut(), &mut Cx { kernel: &mut self.kernel, host: id });
        self.rearm(id);
    }

    /// Reads the host's deadline again and arms it, unless an earlier timer event will do so.
    fn rearm(&mut self, id: HostId) {
        let at = usize::from(id.0);
        let Some(due) = self.hosts.get(at).and_then(|h| h.deadline()) else { return };
        let due = due.max(self.kernel.now);
        if self.pushed[at].is_none_or(|pushed| due < pushed) {
            self.pushed[at] = Some(due);
            self.kernel.arm(id, due);
        }
    }

    /// Runs to `until`, or to the end of everything.
    pub fn run_until(&mut self, until: Instant) -> Step {
        loop {
            match self.step(until) {
                Step::Done => {}
                end => return end,
            }
        }
    }

    /// A datagram at a host's door, as if it had come over a link: for benches and attackers.
    pub fn inject(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        if let Some(host) = self.kernel.network.truth(to) {
            self.kernel.put(at, Event::Packet { host, from, to, bytes });
        }
    }

    /// Switches a host off: its packets vanish, its streams are reset, its timers stop.
    pub fn crash(&mut self, id: HostId) {
        self.kernel.down[usize::from(id.0)] = true;
        self.pushed[usize::from(id.0)] = None;
        self.kernel.reset_streams(|a, b| a == id || b == id);
    }

    /// Switches a host on again with a new body.
    pub fn revive(&mut self, id: HostId) {
        self.kernel.down[usize::from(id.0)] = false;
    }

    pub fn partition(&mut self, a: HostId, b: HostId, cut: bool) {
        let seed = self.kernel.seed;
        self.kernel.network.link(seed, a, b).cut = cut;
        self.kernel.network.link(seed, b, a).cut = cut;
        if !cut {
            self.kernel.unstall();
        }
    }

    /// Breaks every stream between two hosts.
    pub fn reset(&mut self, a: HostId, b: HostId) {
        self.kernel.reset_streams(|x, y| (x, y) == (a, b) || (x, y) == (b, a));
    }

    /// All faults end.
    pub fn heal(&mut self) {
        self.kernel.network.heal();
        self.kernel.ledger.replay = self.kernel.ledger.replay.take().map(|_| Default::default());
        self.kernel.unstall();
    }
}

#[cfg(test)]
mod tests;
