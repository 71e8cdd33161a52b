//! One stream: the hot half that every packet touches, and the rest.
//! A direction touches the receiving half of one stream and the sending half of the other:
//! together at most 128 octets.
use crate::address::Addr;
use crate::command::{PortNo, Sink, Stats, StreamCfg, StreamId};
use crate::echo::Echo;
use crate::latch::{Allowed, Latch};
use crate::reception::{Reception, Restarts};
use crate::tone::Tone;
use alloc::boxed::Box;
use bitspath_core::Instant;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// Two cache lines, found by the port's index.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[repr(align(64))]
pub struct Hot {
    pub rx: Rx,
    pub tx: Tx,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rx {
    pub latch: Latch,
    pub reception: Reception,
    pub next: Next,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tx {
    /// Unset while nothing may be sent.
    pub to: Addr,
    pub port: PortNo,
    pub packets: u64,
    pub octets: u64,
}

const _: () = assert!(size_of::<Rx>() + size_of::<Tx>() <= 128);

/// What becomes of a believed packet: [`Sink`] and direction, resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    #[default]
    Nowhere,
    /// Out of the stream at this index.
    Stream(u32),
    Echo,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Service {
    None,
    Echo(Box<Echo>),
    Tone(Box<Tone>),
}

/// The rest of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    pub id: StreamId,
    pub port: PortNo,
    pub cfg: StreamCfg,
    pub sink: Sink,
    /// The stream that `sink` names, once it is open.
    pub link: Option<u32>,
    pub service: Service,
    /// Sources of our own minted for it.
    pub minted: u64,
    pub allowed: Allowed,
    pub rtcp_allowed: Allowed,
    pub rtcp: Latch,
    pub rtcp_to: Addr,
    pub rtcp_bound: bool,
    pub restarts: Restarts,
    /// What is not counted in the hot half.
    pub counts: Stats,
    /// Silence is counted from here when nothing was heard since.
    pub since: Instant,
    /// The last packet before the silence that was reported.
    pub reported: Option<Instant>,
}

impl Stream {
    pub fn new(now: Instant, id: StreamId, port: PortNo, cfg: StreamCfg) -> Self {
        let allowed = Allowed { sdp: None, signalling: cfg.signalling, local: cfg.local };
        Stream {
            id,
            port,
            cfg,
            sink: Sink::None,
            link: None,
            service: Service::None,
            minted: 0,
            allowed,
            rtcp_allowed: allowed,
            rtcp: Latch::Waiting,
            rtcp_to: Addr::default(),
            rtcp_bound: false,
            restarts: Restarts::default(),
            counts: Stats::default(),
            since: now,
            reported: None,
        }
    }

    //= RFC 3264 §8.4
    // An unspecified address (or no port) is a hold of the old kind: nothing at all is sent.
    pub fn is_held(&self) -> bool {
        self.cfg.remote.is_some_and(|remote| Addr::from(remote).is_unset())
    }

    /// New signalling. An address that the SDP names is refused when it is one of our own; while
    /// it is held, the address known before stays.
    pub fn modify(&mut self, rx: &mut Rx, cfg: StreamCfg, own: [bool; 2]) {
        self.cfg = cfg;
        let mut allowed = [self.allowed, self.rtcp_allowed];
        for ((allowed, named), own) in allowed.iter_mut().zip(named(&cfg)).zip(own) {
            (allowed.signalling, allowed.local) = (cfg.signalling, cfg.local);
            if own {
                self.counts.refused_own += 1;
                allowed.sdp = None;
            } else if !self.is_held() {
                allowed.sdp = named;
            }
        }
        let [rtp, rtcp] = allowed;
        rx.latch.modify(&self.allowed, &rtp);
        self.rtcp.modify(&self.rtcp_allowed, &rtcp);
        (self.allowed, self.rtcp_allowed) = (rtp, rtcp);
    }

    /// Brings the hot half in line with signalling and latch: the only place that does.
    pub fn refresh(&mut self, hot: &mut Hot) {
        hot.rx.next = match (self.cfg.receive, self.sink, self.link) {
            (true, Sink::Stream(_), Some(at)) => Next::Stream(at),
            (true, Sink::Echo, _) => Next::Echo,
            _ => Next::Nowhere,
        };
        let held = self.is_held();
        let to = |latch: &Latch, allowed: &Allowed, may: bool| match may && !held {
            true => latch.destination(allowed).unwrap_or_default(),
            false => Addr::default(),
        };
        hot.tx.to = to(&hot.rx.latch, &self.allowed, self.cfg.send);
        hot.tx.port = self.port;
        //= RFC 3264 §8.4
        // A stream on hold by direction still has its RTCP.
        self.rtcp_to = to(&self.rtcp, &self.rtcp_allowed, true);
    }

    pub fn stats(&self, hot: &Hot) -> Stats {
        let dropped = match &self.service {
            Service::Echo(echo) => echo.dropped,
            _ => 0,
        };
        Stats {
            packets_in: hot.rx.reception.packets,
            octets_in: hot.rx.reception.octets,
            packets_out: hot.tx.packets,
            octets_out: hot.tx.octets,
            dropped_unsent: self.counts.dropped_unsent + dropped,
            lost: self.restarts.lost(&hot.rx.reception),
            jitter: hot.rx.reception.jitter_us(),
            ..self.counts
        }
    }
}

/// The RTP and RTCP addresses that the peer's SDP names.
pub fn named(cfg: &StreamCfg) -> [Option<Addr>; 2] {
    let rtcp = cfg.rtcp.or_else(|| cfg.remote.and_then(above));
    [cfg.remote.map(Addr::from), rtcp.map(Addr::from)]
}

/// RFC 3550 §11: without `a=rtcp`, RTCP is one port above.
fn above(rtp: SocketAddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
}
