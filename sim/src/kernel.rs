//! The part of the World that hosts may touch while they run: the clock, the heap of events, the
//! network, the trace hash and the watchers (ladder trail, oracles, capture).
//!
//!   host ──Cx::send──▶ route (NAT) ─▶ link (faults) ─▶ heap ─▶ the other host's `packet`
//!                └──▶ trail and oracles see each SIP message once, where it leaves
//!
//! Order of events: (time, timers before inputs, tie, sequence). In half of the seeds the tie
//! permutes inputs of the same time that came over different links; a link keeps its order.
use crate::host::{HostId, StreamId};
use crate::link::{Ledger, mangle};
use crate::mix::{Draw, chance, mix, within};
use crate::network::Network;
use crate::oracle::Oracles;
use crate::stream::{End, Stream, StreamIn};
use crate::trail::Trail;
use bitspath_core::hash::TraceHasher;
use bitspath_core::net::CloseReason;
use bitspath_core::{Instant, Now, UnixTime};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::time::Duration;

/// 2026-01-01T00:00:00Z: the wall clock when a run begins.
pub const EPOCH: UnixTime = UnixTime(1_767_225_600_000_000_000);
/// Monotonic time when a run begins; not zero, so that nothing may rely on it.
pub const START: Instant = Instant(1_000_000_000_000);

#[derive(Debug)]
pub(crate) enum Event {
    Packet { host: HostId, from: SocketAddr, to: SocketAddr, bytes: Bytes },
    Stream { stream: StreamId, side: usize },
    Later { host: HostId, token: u64 },
    Timer { host: HostId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Instant,
    /// Zero for timers; a link's tie otherwise.
    tie: u64,
    seq: u64,
    slot: u32,
}

/// A frame as it left a host, kept only on the re-run of a failure.
#[derive(Clone, Debug)]
pub struct Frame {
    pub at: Instant,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub stream: bool,
    pub bytes: Bytes,
}

pub struct Kernel {
    pub now: Instant,
    pub seed: u64,
    permute: bool,
    heap: BinaryHeap<Reverse<Key>>,
    slab: Vec<Option<Event>>,
    free: Vec<u32>,
    seq: u64,
    pub network: Network,
    pub ledger: Ledger,
    pub hash: TraceHasher,
    /// The hash after every thousandth event.
    pub checkpoints: Vec<u64>,
    pub events: u64,
    pub trail: Trail,
    pub oracles: Oracles,
    pub capture: Option<Vec<Frame>>,
    /// Hosts that are switched off.
    pub down: Vec<bool>,
}

impl Kernel {
    pub fn new(seed: u64) -> Kernel {
        Kernel {
            now: START,
            seed,
            permute: mix(seed, 0, 0, Draw::Permute) % 2 == 1,
            heap: BinaryHeap::with_capacity(64),
            slab: Vec::with_capacity(64),
            free: Vec::new(),
            seq: 0,
            network: Network::default(),
            ledger: Ledger::default(),
            hash: TraceHasher::default(),
            checkpoints: Vec::new(),
            events: 0,
            trail: Trail::default(),
            oracles: Oracles::default(),
            capture: None,
            down: Vec::new(),
        }
    }

    pub fn now_of(&self, host: HostId) -> Now {
        let passed = self.now.since(START).as_nanos() as u64;
        let wall = (EPOCH.0 + passed).saturating_add_signed(self.network.skew_of(host));
        Now { mono: self.now, wall: UnixTime(wall) }
    }

    fn push(&mut self, at: Instant, origin: Option<u64>, event: Event) {
        let at = at.max(self.now);
        let tie = match origin {
            None => 0,
            Some(o) if self.permute => mix(self.seed, o, at.0, Draw::Tie) | 1,
            Some(_) => 1,
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slab.push(None);
                self.slab.len() as u32 - 1
            }
        };
        self.slab[slot as usize] = Some(event);
        self.seq += 1;
        self.heap.push(Reverse(Key { at, tie, seq: self.seq, slot }));
    }

    pub(crate) fn arm(&mut self, host: HostId, at: Instant) {
        self.push(at, None, Event::Timer { host });
    }

    /// An event from outside the network, in the order of the calls.
    pub(crate) fn put(&mut self, at: Instant, event: Event) {
        self.push(at, Some(3 << 40), event);
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(k)| k.at)
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Reverse(key) = self.heap.pop()?;
        self.now = key.at;
        self.free.push(key.slot);
        self.slab[key.slot as usize].take()
    }

    /// Counts one event, folds its place in the trace, keeps a checkpoint now and then.
    pub(crate) fn count(&mut self, host: HostId) {
        self.events += 1;
        self.hash.fold(&(self.now.0, host.0));
        if self.events.is_multiple_of(1000) {
            self.checkpoints.push(self.hash.0);
        }
    }

    fn send(&mut self, host: HostId, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        if let Some(frames) = &mut self.capture {
            let at = self.now;
            frames.push(Frame { at, from, to, stream: false, bytes: bytes.clone() });
        }
        let truth = self.network.truth(to);
        self.watch(host, truth, from, to, &bytes);
        let Some(route) = self.network.route(self.seed, self.now, host, from, to) else { return };
        let id = self.network.link_id(host, route.host);
        let (seed, now, len) = (self.seed, self.now, bytes.len());
        let link = self.network.link(seed, host, route.host);
        let fate = link.pass(seed, id, now, len, &mut self.ledger);
        let bytes = match fate.mangle {
            Some(word) => Bytes::from(mangle(&bytes, word)),
            None => bytes,
        };
        let origin = Some(u64::from(id));
        let packet =
            |bytes| Event::Packet { host: route.host, from: route.from, to: route.to, bytes };
        if let Some(second) = fate.arrivals[1] {
            self.push(second, origin, packet(bytes.clone()));
        }
        if let Some(first) = fate.arrivals[0] {
            self.push(first, origin, packet(bytes));
        }
    }

    /// The watchers see what leaves a host.
    fn watch(
        &mut self,
        from: HostId,
        to: Option<HostId>,
        from_addr: SocketAddr,
        to_addr: SocketAddr,
        bytes: &Bytes,
    ) {
        match bytes.first() {
            Some(first) if first.is_ascii_uppercase() => {
                let arrow = self.trail.sip(self.now, from, to, bytes);
                for at in arrow {
                    if let Some(arrow) = self.trail.arrows.get(at) {
                        self.oracles.sip(self.now, arrow);
                    }
                }
            }
            Some(first) if first >> 6 == 2 => {
                self.oracles.rtp(self.now, from, to, from_addr, to_addr, bytes);
            }
            _ => {}
        }
    }

    fn connect(&mut self, host: HostId, local: SocketAddr, to: SocketAddr) -> StreamId {
        let id = StreamId(self.network.streams.len() as u32);
        let route = self.network.route(self.seed, self.now, host, local, to);
        let caller = End { host, local, peer: to };
        let listener = route.map_or(caller, |r| End { host: r.host, local: r.to, peer: r.from });
        self.network.streams.push(Stream::new(caller, listener));
        let refused = match route {
            None => Some(CloseReason::Unreachable),
            Some(r) if self.link_is_cut(host, r.host) => Some(CloseReason::Unreachable),
            Some(r) if self.is_down(r.host) => Some(CloseReason::Refused),
            Some(r) if !self.network.is_listening(r.host, r.to.port()) => {
                Some(CloseReason::Refused)
            }
            Some(_) => None,
        };
        match refused {
            Some(reason) => {
                if let Some(s) = self.network.streams.get_mut(id.0 as usize) {
                    s.open = false;
                }
                self.deliver(id, 0, StreamIn::Closed(reason));
            }
            None => {
                let (peer, local) = (listener.peer, listener.local);
                self.deliver(id, 1, StreamIn::Opened { peer, local, accepted: true });
                let (peer, local) = (caller.peer, caller.local);
                self.deliver(id, 0, StreamIn::Opened { peer, local, accepted: false });
            }
        }
        id
    }

    fn is_down(&self, host: HostId) -> bool {
        self.down.get(usize::from(host.0)).copied().unwrap_or(false)
    }

    fn link_is_cut(&mut self, a: HostId, b: HostId) -> bool {
        self.network.link(self.seed, a, b).cut
    }

    /// Queues one thing for an end of a stream, after everything queued before it.
    fn deliver(&mut self, id: StreamId, side: usize, what: StreamIn) {
        let Some(s) = self.network.streams.get(id.0 as usize) else { return };
        let (from, to, n) = (s.ends[1 - side].host, s.ends[side].host, s.n[side]);
        let key = u64::from(id.0) << 1 | side as u64;
        let link = self.network.link(self.seed, from, to);
        let (cut, rates) = (link.cut, link.rates);
        let mut delay = link.base + within(mix(self.seed, key, n, Draw::Jitter), 0, link.jitter);
        if rates.delay.1 > 0 {
            let draw = mix(self.seed, key, n, Draw::Delay);
            delay += within(draw, rates.delay.0, rates.delay.1);
        }
        // A lost segment is sent again by TCP after its retransmission timeout.
        if chance(mix(self.seed, key, n, Draw::Loss), rates.loss + rates.corrupt) {
            delay += 200_000_000;
        }
        let now = self.now;
        let Some(s) = self.network.streams.get_mut(id.0 as usize) else { return };
        s.n[side] += 1;
        s.queue[side].push_back(what);
        if cut {
            s.stalled[side] += 1;
            return;
        }
        let at = Instant(now.0 + delay).max(s.last[side]);
        s.last[side] = at;
        self.push(at, Some(1 << 40 | key), Event::Stream { stream: id, side });
    }

    /// A partition ended: what was stalled on its streams goes on.
    pub(crate) fn unstall(&mut self) {
        for at in 0..self.network.streams.len() {
            for side in 0..2 {
                let Some(s) = self.network.streams.get_mut(at) else { continue };
                let stalled = std::mem::take(&mut s.stalled[side]);
                let due = Instant(self.now.0 + 1_000_000).max(s.last[side]);
                s.last[side] = due;
                let stream = StreamId(at as u32);
                for _ in 0..stalled {
                    let key = u64::from(stream.0) << 1 | side as u64;
                    self.push(due, Some(1 << 40 | key), Event::Stream { stream, side });
                }
            }
        }
    }

    fn write(&mut self, host: HostId, id: StreamId, bytes: Bytes) {
        let Some(s) = self.network.streams.get(id.0 as usize) else { return };
        if !s.open {
            return;
        }
        let side = s.side(host);
        let (me, other, mut n) = (s.ends[side], s.ends[1 - side], s.n[1 - side]);
        if let Some(frames) = &mut self.capture {
            let (from, to) = (me.local, me.peer);
            frames.push(Frame { at: self.now, from, to, stream: true, bytes: bytes.clone() });
        }
        self.watch(host, Some(other.host), me.local, me.peer, &bytes);
        let len = bytes.len() as u32;
        let mut rest = bytes;
        while !rest.is_empty() {
            // A quarter of the writes arrives in pieces, cut anywhere.
            let draw = mix(self.seed, u64::from(id.0) << 1 | side as u64, n, Draw::Chunk);
            let cut = match draw % 4 {
                0 => within(draw, 1, rest.len() as u64) as usize,
                _ => rest.len(),
            };
            let piece = rest.split_to(cut);
            self.deliver(id, 1 - side, StreamIn::Data(piece));
            n += 1;
        }
        self.deliver(id, side, StreamIn::Written(len));
    }

    fn close(&mut self, host: HostId, id: StreamId, theirs: CloseReason, ours: CloseReason) {
        let Some(s) = self.network.streams.get_mut(id.0 as usize) else { return };
        if !std::mem::replace(&mut s.open, false) {
            return;
        }
        let side = s.side(host);
        self.deliver(id, 1 - side, StreamIn::Closed(theirs));
        self.deliver(id, side, StreamIn::Closed(ours));
    }

    /// Breaks every stream that `touches` two hosts.
    pub(crate) fn reset_streams(&mut self, touches: impl Fn(HostId, HostId) -> bool) {
        for at in 0..self.network.streams.len() {
            let Some(s) = self.network.streams.get(at) else { continue };
            let (a, b) = (s.ends[0].host, s.ends[1].host);
            if s.open && touches(a, b) {
                self.close(a, StreamId(at as u32), CloseReason::Reset, CloseReason::Reset);
            }
        }
    }
}

/// The World as one host sees it while it runs.
pub struct Cx<'a> {
    pub kernel: &'a mut Kernel,
    pub host: HostId,
}

impl Cx<'_> {
    pub fn now(&self) -> Now {
        self.kernel.now_of(self.host)
    }
    pub fn seed(&self) -> u64 {
        self.kernel.seed
    }
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.kernel.hash.fold(&bytes[..]);
        self.kernel.send(self.host, from, to, bytes);
    }
    pub fn connect(&mut self, local: SocketAddr, to: SocketAddr) -> StreamId {
        self.kernel.connect(self.host, local, to)
    }
    pub fn write(&mut self, stream: StreamId, bytes: Bytes) {
        self.kernel.hash.fold(&bytes[..]);
        self.kernel.write(self.host, stream, bytes);
    }
    pub fn close(&mut self, stream: StreamId, reason: CloseReason) {
        self.kernel.close(self.host, stream, CloseReason::Eof, reason);
    }
    /// `Host::later(token)` after `delay`. Equal tokens of a host keep their order.
    pub fn later(&mut self, delay: Duration, token: u64) {
        let host = self.host;
        let origin = 2 << 40 | u64::from(host.0) << 8 | token & 0xFF;
        self.kernel.push(self.kernel.now + delay, Some(origin), Event::Later { host, token });
    }
    /// Folds an output in the trace hash.
    pub fn fold<T: Hash + ?Sized>(&mut self, value: &T) {
        self.kernel.hash.fold(value);
    }
}
