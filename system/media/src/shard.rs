//! The media shard: one share-nothing machine per worker thread (rule 7).
//! Owns: the streams of its ports, their latches, links and services; deadlines for pacing, for
//! silence and for RTCP. Does not know: sockets, SIP. Relays opaque packets: no rewriting, so the
//! sequence, SSRC and timestamps of a call are those of its phones.
//! Missing: telephone events as `Evt::Dtmf` (the payload type is not in `StreamCfg` yet), reports
//! of our own for echo and tone, own ports of *other* shards in the refusal of loops.
//!
//! ```text
//!   packet on A's port ─▶ RTP? ─▶ A's latch ─▶ A's sink ─▶ B's destination, out of B's port
//!                       no ┘ stranger ┘     none ┘         unset ┘     each: counted, dropped
//! ```
use crate::address::Addr;
use crate::by_port::ByPort;
use crate::command::{Cmd, Evt, PortNo, Sink, Stats, StreamCfg, StreamId};
use crate::echo::Echo;
use crate::slot::{Slot, Verdict};
use crate::source::Source;
use crate::stream::{Hot, Rx, Service, Stream, Tx, named};
use crate::tone::Tone;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::limits::{MEDIA_SILENCE, STREAMS_PER_SHARD_MAX};
use bitspath_core::timers::Heap;
use bitspath_core::{Audit, Entropy, Instant, Now};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

mod relay;

/// What the shard asks of the sockets: RTCP is bound only when its first packet is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bind {
    Rtcp { ip: IpAddr, port: PortNo },
}

/// Deadlines, by the stream's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Timer {
    /// Echo or tone has a packet to send.
    Tick(u32),
    Silence(u32),
    /// RFC 3550 §6.2: the peer's first RTCP may come from now on.
    Rtcp(u32),
}

/// What no stream can be blamed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counters {
    /// Packets to a port without a stream.
    pub unclaimed: u64,
    /// Commands for a stream that is not open.
    pub stray_commands: u64,
}

/// Due timers taken in one `handle_timeout`; the rest stays due.
const TIMERS_AT_ONCE: usize = 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shard {
    entropy: Entropy,
    by_port: ByPort,
    by_id: BTreeMap<StreamId, u32>,
    hot: Vec<Hot>,
    streams: Vec<Option<Stream>>,
    free: Vec<u32>,
    /// (target, source) of every link to a stream, open or not.
    links: BTreeSet<(StreamId, StreamId)>,
    /// Our own addresses with the number of open streams that use each.
    own: BTreeMap<Addr, u32>,
    timers: Heap<Timer>,
    /// Streams whose service has a packet to send, in order.
    ready: VecDeque<u32>,
    events: VecDeque<Evt>,
    binds: VecDeque<Bind>,
    counters: Counters,
}

impl Shard {
    pub fn new(entropy: Entropy) -> Self {
        Shard {
            entropy,
            by_port: ByPort::default(),
            by_id: BTreeMap::new(),
            hot: Vec::new(),
            streams: Vec::new(),
            free: Vec::new(),
            links: BTreeSet::new(),
            own: BTreeMap::new(),
            timers: Heap::default(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            binds: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Addresses of this host beside those that streams are opened with.
    pub fn own_addresses(&mut self, ips: impl IntoIterator<Item = IpAddr>) {
        for ip in ips {
            *self.own.entry(ip.into()).or_insert(0) += 1;
        }
    }

    pub fn handle(&mut self, now: Now, cmd: Cmd) {
        match cmd {
            Cmd::Open { stream, port, cfg } => self.open(now.mono, stream, port, cfg),
            Cmd::Modify { stream, cfg } => self.modify(now.mono, stream, cfg),
            Cmd::Link { stream, sink } => self.link(now.mono, stream, sink),
            Cmd::Close { stream } => self.close(stream),
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        for _ in 0..TIMERS_AT_ONCE {
            match self.timers.pop_due(now.mono) {
                Some(Timer::Tick(at)) => self.tick(now.mono, at),
                Some(Timer::Silence(at)) => self.listen(now.mono, at),
                Some(Timer::Rtcp(at)) => self.bind_rtcp(at),
                None => break,
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.next().map(|(due, timer)| match timer {
            Timer::Tick(_) => (due, "media pacing"),
            Timer::Silence(_) => (due, "media silence"),
            Timer::Rtcp(_) => (due, "first RTCP"),
        })
    }

    pub fn poll_event(&mut self) -> Option<Evt> {
        self.events.pop_front()
    }

    pub fn poll_bind(&mut self) -> Option<Bind> {
        self.binds.pop_front()
    }

    /// The next packet that echo or tone sends now: fills the slot as `relay` would.
    pub fn poll_packet(&mut self, out: &mut Slot) -> bool {
        while let Some(at) = self.ready.pop_front() {
            if self.emit(at, out).is_some() {
                return true;
            }
        }
        false
    }

    /// What a stream has seen so far.
    pub fn stats(&self, stream: StreamId) -> Option<Stats> {
        let at = *self.by_id.get(&stream)?;
        Some(self.stream(at)?.stats(self.hot.get(at as usize)?))
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub fn audit(&self, audit: &mut Audit) {
        audit.set("relays", self.by_id.len());
        audit.set("relay_links", self.links.len());
        audit.set("relay_timers", self.timers.len());
    }

    fn open(&mut self, now: Instant, id: StreamId, port: PortNo, cfg: StreamCfg) {
        let refused = if port.0 == 0 || port.0 % 2 == 1 {
            Some("an RTP port is even")
        } else if self.by_port.get(port).is_some() {
            Some("the port has a stream")
        } else if self.by_id.contains_key(&id) {
            Some("the stream is open")
        } else if self.by_id.len() >= STREAMS_PER_SHARD_MAX as usize {
            Some("the shard is full")
        } else {
            None
        };
        if let Some(what) = refused {
            self.events.push_back(Evt::Failed { stream: Some(id), port, what: String::from(what) });
            return;
        }
        let at = self.free.pop().unwrap_or(self.hot.len() as u32);
        let hot = Hot { rx: Rx::default(), tx: Tx::default() };
        let stream = Some(Stream::new(now, id, port, cfg));
        match (self.hot.get_mut(at as usize), self.streams.get_mut(at as usize)) {
            (Some(h), Some(s)) => (*h, *s) = (hot, stream),
            _ => {
                self.hot.push(hot);
                self.streams.push(stream);
            }
        }
        self.by_port.set(port, at);
        self.by_id.insert(id, at);
        *self.own.entry(cfg.local.into()).or_insert(0) += 1;
        self.apply(at, cfg);
        self.timers.set(Timer::Silence(at), now + MEDIA_SILENCE);
        let sources: Vec<StreamId> = self.links_to(id).collect();
        for source in sources {
            self.resolve(source, Some(at));
        }
    }

    fn modify(&mut self, now: Instant, id: StreamId, cfg: StreamCfg) {
        let Some(at) = self.find(id) else { return };
        let Some(before) = self.stream(at).map(|s| s.cfg.local) else { return };
        self.disown(before);
        *self.own.entry(cfg.local.into()).or_insert(0) += 1;
        self.apply(at, cfg);
        if let Some(stream) = self.stream_mut(at) {
            stream.since = now;
        }
    }

    /// What signalling says, into the stream and its hot half.
    fn apply(&mut self, at: u32, cfg: StreamCfg) {
        let own = named(&cfg).map(|named| named.is_some_and(|a| self.is_own(a)));
        if let (Some(Some(stream)), Some(hot)) =
            (self.streams.get_mut(at as usize), self.hot.get_mut(at as usize))
        {
            stream.modify(&mut hot.rx, cfg, own);
            stream.refresh(hot);
        }
    }

    fn link(&mut self, now: Instant, id: StreamId, sink: Sink) {
        let Some(at) = self.find(id) else { return };
        self.unlink(at);
        let target = match sink {
            // To itself would be an echo without a pace.
            Sink::Stream(target) if target == id => return self.counters.stray_commands += 1,
            Sink::Stream(target) => {
                self.links.insert((target, id));
                self.by_id.get(&target).copied()
            }
            _ => None,
        };
        let entropy = self.entropy.clone();
        let Some(stream) = self.stream_mut(at) else { return };
        let mut source = || {
            stream.minted += 1;
            Source::mint(&entropy, id, stream.minted)
        };
        stream.service = match sink {
            Sink::None | Sink::Stream(_) => Service::None,
            Sink::Echo => Service::Echo(Box::new(Echo::new(source()))),
            Sink::Tone { pt, law, ptime_ms } => {
                Service::Tone(Box::new(Tone::new(now, source(), pt, law, ptime_ms)))
            }
        };
        stream.sink = sink;
        if matches!(sink, Sink::Tone { .. }) {
            self.timers.set(Timer::Tick(at), now);
        }
        self.resolve(id, target);
    }

    /// Ends the present sink of a stream.
    fn unlink(&mut self, at: u32) {
        let Some(stream) = self.stream_mut(at) else { return };
        let (id, sink) = (stream.id, core::mem::replace(&mut stream.sink, Sink::None));
        if let Service::Echo(echo) = &stream.service {
            stream.counts.dropped_unsent += echo.dropped;
        }
        stream.service = Service::None;
        if let Sink::Stream(target) = sink {
            self.links.remove(&(target, id));
        }
        self.timers.cancel(Timer::Tick(at));
        self.ready.retain(|r| *r != at);
        self.resolve(id, None);
    }

    fn close(&mut self, id: StreamId) {
        let stats = self.stats(id).unwrap_or_default();
        // Links that waited for a stream that never opened end too.
        let sources: Vec<StreamId> = self.links_to(id).collect();
        for source in sources {
            self.links.remove(&(id, source));
            self.resolve(source, None);
        }
        if let Some(at) = self.by_id.get(&id).copied() {
            self.unlink(at);
            self.timers.cancel(Timer::Silence(at));
            self.timers.cancel(Timer::Rtcp(at));
            self.by_id.remove(&id);
            if let Some(stream) = self.streams.get_mut(at as usize).and_then(Option::take) {
                self.by_port.clear(stream.port);
                self.disown(stream.cfg.local);
                self.binds.retain(|Bind::Rtcp { port, .. }| *port != stream.port);
            }
            self.free.push(at);
        }
        self.events.push_back(Evt::Closed { stream: id, stats });
    }

    /// Sets where a source's link leads and brings its hot half in line.
    fn resolve(&mut self, source: StreamId, target: Option<u32>) {
        let Some(at) = self.by_id.get(&source).copied() else { return };
        if let (Some(Some(stream)), Some(hot)) =
            (self.streams.get_mut(at as usize), self.hot.get_mut(at as usize))
        {
            stream.link = target;
            stream.refresh(hot);
        }
    }

    fn links_to(&self, target: StreamId) -> impl Iterator<Item = StreamId> + '_ {
        self.links.range((target, StreamId(0))..=(target, StreamId(u64::MAX))).map(|(_, s)| *s)
    }

    fn tick(&mut self, now: Instant, at: u32) {
        let Some(stream) = self.streams.get_mut(at as usize).and_then(Option::as_mut) else {
            return;
        };
        let (count, due) = match &mut stream.service {
            Service::None => (0, None),
            Service::Echo(echo) => (u32::from(echo.tick(now)), echo.due()),
            Service::Tone(tone) => (tone.tick(now), Some(tone.due())),
        };
        self.ready.extend(core::iter::repeat_n(at, count as usize));
        if let Some(due) = due {
            self.timers.set(Timer::Tick(at), due);
        }
    }

    /// Builds the packet that a tick announced.
    fn emit(&mut self, at: u32, out: &mut Slot) -> Option<()> {
        let hot = self.hot.get_mut(at as usize)?;
        let stream = self.streams.get_mut(at as usize)?.as_mut()?;
        let send = !hot.tx.to.is_unset();
        let written = match &mut stream.service {
            Service::None => None,
            Service::Echo(echo) => echo.emit(send, &mut out.buf),
            Service::Tone(tone) if send => tone.emit(&mut out.buf),
            Service::Tone(tone) => {
                tone.skip();
                None
            }
        };
        let Some(len) = written else {
            stream.counts.dropped_unsent += 1;
            return None;
        };
        hot.tx.packets += 1;
        hot.tx.octets += len as u64;
        (out.local, out.rtcp, out.peer) = (hot.tx.port, false, hot.tx.to.into());
        out.verdict = Verdict::Forward { port: hot.tx.port, rtcp: false };
        out.len = len as u16;
        Some(())
    }

    /// Looks whether a stream was silent; says so once per silence.
    fn listen(&mut self, now: Instant, at: u32) {
        let Some(hot) = self.hot.get(at as usize) else { return };
        let last = hot.rx.latch.last();
        let Some(stream) = self.stream_mut(at) else { return };
        let heard = last.unwrap_or(stream.since).max(stream.since);
        let mut next = heard + MEDIA_SILENCE;
        if next <= now {
            next = now + MEDIA_SILENCE;
            if stream.cfg.receive && stream.reported != Some(heard) {
                stream.reported = Some(heard);
                let event = Evt::Silent { stream: stream.id };
                self.events.push_back(event);
            }
        }
        self.timers.set(Timer::Silence(at), next);
    }

    fn bind_rtcp(&mut self, at: u32) {
        if let Some(stream) = self.stream_mut(at).filter(|s| !s.rtcp_bound) {
            stream.rtcp_bound = true;
            let bind = Bind::Rtcp { ip: stream.cfg.local, port: stream.port };
            self.binds.push_back(bind);
        }
    }

    fn disown(&mut self, ip: IpAddr) {
        if let Some(users) = self.own.get_mut(&ip.into()) {
            *users -= 1;
            if *users == 0 {
                self.own.remove(&ip.into());
            }
        }
    }

    /// One of our own addresses with one of our open ports; an RTCP port only once it is bound,
    /// because before that it may be a phone's on this host.
    fn is_own(&self, addr: Addr) -> bool {
        let Some(at) = self.by_port.get(PortNo(addr.port() & !1)) else { return false };
        let bound = addr.port().is_multiple_of(2) || self.stream(at).is_some_and(|s| s.rtcp_bound);
        bound && self.own.contains_key(&addr.without_port())
    }

    fn find(&mut self, id: StreamId) -> Option<u32> {
        let at = self.by_id.get(&id).copied();
        self.counters.stray_commands += u64::from(at.is_none());
        at
    }
    fn stream(&self, at: u32) -> Option<&Stream> {
        self.streams.get(at as usize)?.as_ref()
    }
    fn stream_mut(&mut self, at: u32) -> Option<&mut Stream> {
        self.streams.get_mut(at as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests;
