//! One media worker: a thread that owns a shard and its sockets, and nothing else.
//! Owns: the warm list (ports bound ahead of need, refilled as they are opened), RTCP sockets that
//! open when first due, ports at rest that keep their socket and are drained and counted.
//! Does not know: calls. Missing: giving ports back to the system after a peak.
//!
//! ```text
//!   Handle::send ─▶ bounded channel + wake ─┐
//!   epoll ─▶ batch ─▶ commands ─▶ relay ─▶ send ─▶ timers ─▶ paced ─▶ send ─▶ events ─▶ refill
//!   a port:  bound (spare) ─Open─▶ open ─Close─▶ resting ─5 s▶ spare       RTCP closes at the end
//! ```
use super::epoll::{EpollNet, Waker};
use bitspath_core::limits::{MEDIA_COMMANDS_MAX, PORT_QUARANTINE};
use bitspath_core::{Duration, Entropy, Instant, Purpose};
use bitspath_media::{Bind, Cmd, Evt, MediaNet, PortNo, Shard, ShardId, Slot, StreamId};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

const BATCH: usize = 64;
/// Commands taken between two batches.
const COMMANDS_AT_ONCE: usize = 256;
/// Ports tried between two batches while the warm list is filled again.
const BINDS_AT_ONCE: usize = 32;
/// An event is offered again while the Node's door is full.
const TELL_RETRY: Duration = Duration::from_millis(20);
/// After no port could be bound: others have them, or the process is out of descriptors.
const BIND_RETRY: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The address that the sockets are bound to; unspecified is every interface.
    pub ip: IpAddr,
    /// Even ports carry RTP, the odd port above each its RTCP.
    pub ports: RangeInclusive<u16>,
    /// Ports kept bound ahead of need.
    pub warm: usize,
}

/// What a worker shows of itself; read by metrics at any time.
#[derive(Debug, Default)]
pub struct Gauges {
    pub streams: AtomicU64,
    pub ports_bound: AtomicU64,
    pub packets_in: AtomicU64,
    pub packets_out: AtomicU64,
    /// Packets to ports without a stream: spare or at rest.
    pub drained: AtomicU64,
    pub truncated: AtomicU64,
    pub send_errors: AtomicU64,
    pub receive_errors: AtomicU64,
}

/// The signalling thread's end of a worker. Dropping it ends the thread.
#[derive(Debug)]
pub struct Handle {
    commands: Option<SyncSender<Cmd>>,
    wake: Waker,
    /// A wake-up is on its way already.
    woken: Arc<AtomicBool>,
    gauges: Arc<Gauges>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// False when the channel is full or the worker has ended; the Node's credits exclude the
    /// first.
    #[must_use]
    pub fn send(&self, cmd: Cmd) -> bool {
        let taken = self.commands.as_ref().is_some_and(|c| c.try_send(cmd).is_ok());
        if !self.woken.swap(true, Ordering::SeqCst) {
            self.wake.wake();
        }
        taken
    }

    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.commands = None;
        self.wake.wake();
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

/// Binds the first ports here, so that what cannot be bound is known before `ready`, and starts
/// the thread. `events` says false when it has no room; the event is offered again.
pub fn spawn(
    shard: ShardId,
    cfg: WorkerConfig,
    entropy: Entropy,
    events: Box<dyn Fn(Evt) -> bool + Send>,
    origin: std::time::Instant,
) -> io::Result<Handle> {
    let net = EpollNet::new(origin)?;
    let (commands, inbox) = sync_channel(MEDIA_COMMANDS_MAX);
    let (wake, woken) = (net.waker(), Arc::new(AtomicBool::new(false)));
    let gauges = Arc::new(Gauges::default());
    let mut worker = Worker {
        ports: Ports::new(shard, &cfg, &entropy),
        cfg,
        shard: Shard::new(entropy),
        net,
        inbox,
        woken: woken.clone(),
        events,
        backlog: VecDeque::new(),
        gauges: gauges.clone(),
    };
    let own: &[IpAddr] = match worker.cfg.ip {
        ip if ip.is_unspecified() => &[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        ip => &[ip],
    };
    worker.shard.own_addresses(own.iter().copied());
    worker.refill(usize::MAX)?;
    if worker.ports.state.is_empty() {
        let (first, last) = (worker.cfg.ports.start(), worker.cfg.ports.end());
        let text = format!("no RTP port from {first} to {last} is free on {}", worker.cfg.ip);
        return Err(io::Error::new(ErrorKind::AddrInUse, text));
    }
    let thread = Builder::new().name(format!("media-{}", shard.0)).spawn(move || worker.run())?;
    Ok(Handle { commands: Some(commands), wake, woken, gauges, thread: Some(thread) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortState {
    Spare,
    Open,
    Resting,
}

/// The ports of a worker, and where the search for the next one stands.
struct Ports {
    state: BTreeMap<PortNo, PortState>,
    of_stream: BTreeMap<StreamId, PortNo>,
    resting: VecDeque<(Instant, PortNo)>,
    spare: usize,
    /// Even ports of the range, from a start that cannot be foretold, wrapping.
    first: u16,
    count: u32,
    next: u32,
    /// Ports in a row that belonged to somebody else.
    misses: u32,
    /// No port of the range was free: not tried again before; never when all are bound.
    not_before: Instant,
}

impl Ports {
    fn new(shard: ShardId, cfg: &WorkerConfig, entropy: &Entropy) -> Ports {
        let first = cfg.ports.start().saturating_add(1) & !1;
        // The last pair must fit whole.
        let pairs = (u32::from(*cfg.ports.end()) + 1).saturating_sub(u32::from(first)) / 2;
        let next = match pairs {
            0 => 0,
            n => entropy.below(Purpose::PortOrder, u64::from(shard.0), 0, u64::from(n)) as u32,
        };
        Ports {
            state: BTreeMap::new(),
            of_stream: BTreeMap::new(),
            resting: VecDeque::new(),
            spare: 0,
            first,
            count: pairs,
            next,
            misses: 0,
            not_before: Instant(0),
        }
    }

    /// The next port of the range that is not bound yet.
    fn candidate(&mut self) -> Option<PortNo> {
        for _ in 0..self.count {
            let port = PortNo(self.first + 2 * (self.next % self.count) as u16);
            self.next = (self.next + 1) % self.count;
            if !self.state.contains_key(&port) {
                return Some(port);
            }
        }
        None
    }

    fn set(&mut self, port: PortNo, state: PortState) {
        let before = self.state.insert(port, state);
        self.spare += usize::from(state == PortState::Spare);
        self.spare -= usize::from(before == Some(PortState::Spare));
    }
}

struct Worker {
    cfg: WorkerConfig,
    shard: Shard,
    net: EpollNet,
    ports: Ports,
    inbox: Receiver<Cmd>,
    woken: Arc<AtomicBool>,
    events: Box<dyn Fn(Evt) -> bool + Send>,
    /// Events that the Node's door had no room for.
    backlog: VecDeque<Evt>,
    gauges: Arc<Gauges>,
}

impl Worker {
    fn run(mut self) {
        let mut slots = vec![Slot::default(); BATCH];
        loop {
            let until = self.deadline();
            let filled = match self.net.recv_batch(&mut slots, until) {
                Ok(filled) => filled,
                Err(fault) => return tracing::error!("media worker ends: {fault}"),
            };
            let now = self.net.now();
            if !self.take_commands() {
                return;
            }
            let batch = slots.get_mut(..filled).unwrap_or_default();
            self.shard.relay(now, batch);
            self.bind_rtcp();
            let mut sent = self.net.send_batch(batch);
            self.shard.handle_timeout(now);
            self.bind_rtcp();
            sent += self.send_paced(&mut slots);
            self.rest(now.mono);
            if let Err(e) = self.refill(BINDS_AT_ONCE) {
                tracing::warn!("no RTP port could be bound: {e}");
            }
            self.tell();
            self.show(filled, sent);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let now = self.net.now().mono;
        let shard = self.shard.poll_timeout().map(|(due, _)| due);
        let rest = self.ports.resting.front().map(|(due, _)| *due);
        let again = (!self.backlog.is_empty()).then_some(now + TELL_RETRY);
        let refill = (self.ports.spare < self.cfg.warm).then_some(self.ports.not_before.max(now));
        [shard, rest, again, refill].into_iter().flatten().min()
    }

    /// False when the handle is gone.
    fn take_commands(&mut self) -> bool {
        // Cleared before the channel is read: a command sent later wakes us again.
        self.woken.store(false, Ordering::SeqCst);
        for _ in 0..COMMANDS_AT_ONCE {
            match self.inbox.try_recv() {
                Ok(cmd) => self.command(cmd),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
        self.net.waker().wake();
        true
    }

    fn command(&mut self, cmd: Cmd) {
        let now = self.net.now();
        match cmd {
            Cmd::Open { stream, port, .. } => {
                if let Err(fault) = self.net.open(self.cfg.ip, port, false) {
                    let what = fault.to_string();
                    // The stream is not open, and the port must not be leased again.
                    let lost = Evt::Failed { stream: None, port, what: what.clone() };
                    self.backlog.push_back(Evt::Failed { stream: Some(stream), port, what });
                    self.backlog.push_back(lost);
                    return;
                }
                self.ports.resting.retain(|(_, p)| *p != port);
                self.ports.of_stream.insert(stream, port);
                self.ports.set(port, PortState::Open);
            }
            Cmd::Close { stream } => {
                if let Some(port) = self.ports.of_stream.remove(&stream) {
                    self.ports.set(port, PortState::Resting);
                    self.ports.resting.push_back((now.mono + PORT_QUARANTINE, port));
                }
            }
            Cmd::Modify { .. } | Cmd::Link { .. } => {}
        }
        self.shard.handle(now, cmd);
    }

    /// Rested ports are spare again; their RTCP socket goes.
    fn rest(&mut self, now: Instant) {
        while let Some((_, port)) = self.ports.resting.front().copied().filter(|r| r.0 <= now) {
            self.ports.resting.pop_front();
            self.net.close(port, true);
            self.ports.set(port, PortState::Spare);
        }
    }

    fn bind_rtcp(&mut self) {
        while let Some(Bind::Rtcp { port, .. }) = self.shard.poll_bind() {
            // Media flows without RTCP too: another program may have taken the odd port.
            if let Err(fault) = self.net.open(self.cfg.ip, port, true) {
                tracing::debug!("no RTCP: {fault}");
            }
        }
    }

    /// What echo and tone have due, batch by batch.
    fn send_paced(&mut self, slots: &mut [Slot]) -> usize {
        let mut sent = 0;
        loop {
            let mut ready = 0;
            for slot in slots.iter_mut() {
                if !self.shard.poll_packet(slot) {
                    break;
                }
                ready += 1;
            }
            sent += self.net.send_batch(slots.get_mut(..ready).unwrap_or_default());
            if ready < slots.len() {
                return sent;
            }
        }
    }

    /// Binds ports until the warm list is full, the range is used up or `tries` are spent.
    fn refill(&mut self, tries: usize) -> io::Result<()> {
        let now = self.net.now().mono;
        if self.ports.spare >= self.cfg.warm || now < self.ports.not_before {
            return Ok(());
        }
        let (mut ports, mut trouble) = (Vec::new(), None);
        let tries = tries.min(self.ports.count as usize);
        for _ in 0..tries {
            let Some(port) = self.ports.candidate() else { break };
            match self.net.bind(self.cfg.ip, port.0) {
                Ok(()) => {
                    self.ports.set(port, PortState::Spare);
                    self.ports.misses = 0;
                    ports.push(port);
                }
                // Somebody else's port; another server's may lie in one long row.
                Err(e) if e.kind() == ErrorKind::AddrInUse => self.ports.misses += 1,
                Err(e) => {
                    trouble = Some(e);
                    break;
                }
            }
            if self.ports.spare >= self.cfg.warm {
                break;
            }
        }
        if self.ports.state.len() >= self.ports.count as usize {
            self.ports.not_before = Instant(u64::MAX);
        } else if self.ports.misses >= self.ports.count || trouble.is_some() {
            self.ports.misses = 0;
            self.ports.not_before = now + BIND_RETRY;
        }
        if !ports.is_empty() {
            self.backlog.push_back(Evt::Warm { ports });
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Events to the Node, in order; what it has no room for is kept.
    fn tell(&mut self) {
        self.backlog.extend(std::iter::from_fn(|| self.shard.poll_event()));
        while let Some(event) = self.backlog.front() {
            if !(self.events)(event.clone()) {
                break;
            }
            self.backlog.pop_front();
        }
    }

    fn show(&self, received: usize, sent: usize) {
        let g = &self.gauges;
        let net = self.net.stats();
        g.streams.store(self.ports.of_stream.len() as u64, Ordering::Relaxed);
        g.ports_bound.store(self.ports.state.len() as u64, Ordering::Relaxed);
        g.packets_in.fetch_add(received as u64, Ordering::Relaxed);
        g.packets_out.fetch_add(sent as u64, Ordering::Relaxed);
        g.drained.store(self.shard.counters().unclaimed, Ordering::Relaxed);
        g.truncated.store(net.truncated, Ordering::Relaxed);
        g.send_errors.store(net.send_errors, Ordering::Relaxed);
        g.receive_errors.store(net.receive_errors, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
