//! `MediaNet` on plain UDP sockets and epoll: one socket per port, level-triggered.
//! Batches save wake-ups, not system calls: each call's port has one packet per 20 ms, so recvmmsg
//! would fetch one (measured). One clock read per batch, when it has been received.
//! Owns: sockets, the epoll instance, the wake-up. Does not know: which port has a stream.
//! Missing: SO_RXQ_OVFL, which no safe interface reports (`NetStats::overflowed` stays zero).
use bitspath_core::{Fault, Instant, Now};
use bitspath_media::{MediaNet, NetStats, PortNo, Slot, Verdict};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt::Display;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// RFC 4594 §4.1: voice is expedited forwarding, DSCP 46.
const EXPEDITED: u32 = 46 << 2;
/// Sockets seen in one wait.
const WAIT_MAX: usize = 64;
/// The wake-up's mark among the events; no port has it.
const WAKE: u64 = u64::MAX;

/// Wakes a parked worker from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    pub fn wake(&self) {
        // The only failure is a full counter: then the worker is awake already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

pub struct EpollNet {
    epoll: OwnedFd,
    wake: Waker,
    /// By port; grows to the highest port in use.
    sockets: Vec<Option<Socket>>,
    /// The sockets are IPv6, so IPv4 peers are written as mapped addresses.
    v6: bool,
    origin: std::time::Instant,
    now: Instant,
    stats: NetStats,
}

impl EpollNet {
    pub fn new(origin: std::time::Instant) -> io::Result<EpollNet> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let mut net = EpollNet {
            epoll,
            wake: Waker(Arc::new(wake)),
            sockets: Vec::new(),
            v6: false,
            origin,
            now: Instant(0),
            stats: NetStats::default(),
        };
        net.read_clock();
        Ok(net)
    }

    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    /// The time of the last batch. Wall time is no business of media.
    pub fn now(&self) -> Now {
        Now { mono: self.now, ..Now::default() }
    }

    pub fn is_open(&self, port: PortNo, rtcp: bool) -> bool {
        self.socket(port.udp(rtcp)).is_some()
    }

    /// Binds a port: for the worker, which must tell a taken port from a full process.
    pub fn bind(&mut self, ip: IpAddr, port: u16) -> io::Result<()> {
        if self.socket(port).is_some() {
            return Ok(());
        }
        let at = SocketAddr::new(ip, port);
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Marking is a courtesy to the network: without it the packets flow too.
        match ip {
            IpAddr::V4(_) => drop(socket.set_tos_v4(EXPEDITED)),
            IpAddr::V6(_) => drop(socket.set_tclass_v6(EXPEDITED)),
        }
        self.v6 = ip.is_ipv6();
        if ip == IpAddr::from([0u16; 8]) {
            socket.set_only_v6(false)?;
        }
        socket.bind(&at.into())?;
        epoll::add(&self.epoll, &socket, EventData::new_u64(u64::from(port)), EventFlags::IN)?;
        let at = usize::from(port);
        if self.sockets.len() <= at {
            self.sockets.resize_with(at + 1, || None);
        }
        if let Some(place) = self.sockets.get_mut(at) {
            *place = Some(socket);
        }
        Ok(())
    }

    fn socket(&self, port: u16) -> Option<&Socket> {
        self.sockets.get(usize::from(port))?.as_ref()
    }

    #[allow(clippy::disallowed_methods)] // the worker's one clock, read once per batch
    fn read_clock(&mut self) {
        let since = std::time::Instant::now().saturating_duration_since(self.origin);
        self.now = Instant(since.as_nanos() as u64);
    }

    /// The time left until a deadline, seen from the last clock reading.
    fn patience(&self, until: Option<Instant>) -> Option<Timespec> {
        let left = until?.since(self.now);
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() })
    }

    /// One packet of one socket into a slot; false when there was none for us.
    fn receive(&mut self, port: u16, slot: &mut Slot) -> bool {
        let Some(socket) = self.sockets.get(usize::from(port)).and_then(Option::as_ref) else {
            return false;
        };
        match recvfrom(socket, &mut slot.buf, RecvFlags::TRUNC) {
            Ok((len, whole, Some(from))) if len == whole => {
                let Ok(peer) = SocketAddr::try_from(from) else { return false };
                (slot.local, slot.rtcp) = (PortNo(port & !1), port & 1 == 1);
                (slot.peer, slot.len, slot.verdict) = (peer, len as u16, Verdict::Drop);
                true
            }
            Ok((_, _, Some(_))) => {
                self.stats.truncated += 1;
                false
            }
            Err(Errno::AGAIN) => false,
            Ok((_, _, None)) | Err(_) => {
                self.stats.receive_errors += 1;
                false
            }
        }
    }
}

impl MediaNet for EpollNet {
    fn open(&mut self, ip: IpAddr, port: PortNo, rtcp: bool) -> Result<(), Fault> {
        self.bind(ip, port.udp(rtcp)).map_err(|e| fault(&format!("port {}", port.udp(rtcp)), e))
    }

    fn close(&mut self, port: PortNo, rtcp: bool) {
        // Closing the last descriptor takes it out of the epoll set.
        if let Some(place) = self.sockets.get_mut(usize::from(port.udp(rtcp))) {
            *place = None;
        }
    }

    fn recv_batch(&mut self, out: &mut [Slot], until: Option<Instant>) -> Result<usize, Fault> {
        let mut room = [const { MaybeUninit::<Event>::uninit() }; WAIT_MAX];
        let patience = self.patience(until);
        let waited = epoll::wait(&self.epoll, &mut room, patience.as_ref());
        let ready = match waited {
            Ok((ready, _)) => &*ready,
            Err(Errno::INTR) => &[],
            Err(e) => return Err(fault("epoll", e)),
        };
        let mut filled = 0;
        for event in ready {
            let mark = event.data.u64();
            if mark == WAKE {
                let _ = rustix::io::read(&*self.wake.0, &mut [0u8; 8]);
            } else if let Some(slot) = out.get_mut(filled) {
                // What finds no slot stays ready: epoll is level-triggered.
                filled += usize::from(self.receive(mark as u16, slot));
            }
        }
        self.read_clock();
        Ok(filled)
    }

    fn send_batch(&mut self, slots: &mut [Slot]) -> usize {
        let mut sent = 0;
        for slot in slots {
            let Verdict::Forward { port, rtcp } = slot.verdict else { continue };
            let Some(socket) = self.socket(port.udp(rtcp)) else {
                self.stats.send_errors += 1;
                continue;
            };
            let left = match (slot.peer, self.v6) {
                (SocketAddr::V4(v4), true) => {
                    let mapped = SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0);
                    sendto(socket, slot.packet(), SendFlags::DONTWAIT, &mapped)
                }
                (peer, _) => sendto(socket, slot.packet(), SendFlags::DONTWAIT, &peer),
            };
            match left {
                Ok(_) => sent += 1,
                Err(_) => self.stats.send_errors += 1,
            }
        }
        sent
    }

    fn stats(&self) -> NetStats {
        self.stats
    }
}

fn fault(what: &str, why: impl Display) -> Fault {
    Fault::new(format!("{what}: {why}"))
}
