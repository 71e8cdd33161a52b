//! What the signalling Node says to a media shard and what it hears back; both are recorded at the
//! Node's door, so signalling replays exactly without a single RTP packet.
//!
//!   Open ─▶ [Modify | Link]* ─▶ Close        Evt: Latched*, Silent*, then exactly one Closed
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// One direction pair on one port of ours: a leg's audio line. Minted by the Node, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u64);

/// An even RTP port of ours; its RTCP is one above, RFC 3550 §11.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct PortNo(pub u16);

impl PortNo {
    /// The port of the packets themselves: the RTP port or the RTCP port above it.
    pub const fn udp(self, rtcp: bool) -> u16 {
        if rtcp { self.0 | 1 } else { self.0 }
    }
}

impl fmt::Display for PortNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One media worker. All streams of a call live in one shard, so a packet never crosses a thread.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct ShardId(pub u8);

/// What offer and answer agreed about one audio line, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamCfg {
    /// The address of ours that this peer sends to (as advertised).
    pub local: IpAddr,
    /// The peer's address of its SDP; `None` while no SDP of the peer is known.
    pub remote: Option<SocketAddr>,
    /// The peer's RTCP address when it said `a=rtcp`; otherwise one port above `remote`.
    pub rtcp: Option<SocketAddr>,
    /// Where the peer's signalling comes from: the other address that may latch.
    pub signalling: IpAddr,
    /// We may send to the peer (its direction has `recv`).
    pub send: bool,
    /// We take what the peer sends.
    pub receive: bool,
}

/// G.711's two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Law {
    Mu,
    A,
}

/// Where the packets that a stream receives go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sink {
    /// Nowhere: they are counted and dropped.
    None,
    /// Out of the other stream's port, to the other stream's peer.
    Stream(StreamId),
    /// Back to the sender, as a stream of our own, paced.
    Echo,
    /// Nowhere; 1004 Hz is sent to the peer.
    Tone { pt: u8, law: Law, ptime_ms: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cmd {
    Open {
        stream: StreamId,
        port: PortNo,
        cfg: StreamCfg,
    },
    Modify {
        stream: StreamId,
        cfg: StreamCfg,
    },
    /// What `stream` receives goes to `sink` from now on. One direction only.
    Link {
        stream: StreamId,
        sink: Sink,
    },
    /// Always answered by `Closed`, also when the stream is unknown.
    Close {
        stream: StreamId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Evt {
    /// More ports are bound and may be leased.
    Warm {
        ports: Vec<PortNo>,
    },
    /// The peer's true address is known, or has moved.
    Latched {
        stream: StreamId,
        peer: SocketAddr,
    },
    /// No packet of the peer for a while; said once per silence. The Node decides.
    Silent {
        stream: StreamId,
    },
    /// A telephone event, RFC 4733.
    Dtmf {
        stream: StreamId,
        digit: char,
        ms: u32,
    },
    Closed {
        stream: StreamId,
        stats: Stats,
    },
    /// A stream could not be opened, or (`stream` absent) a port is lost and must not be leased.
    Failed {
        stream: Option<StreamId>,
        port: PortNo,
        what: String,
    },
}

/// What a stream has seen, RFC 3550 §6.4.1 where it names it. Octets are of UDP payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stats {
    pub packets_in: u64,
    pub octets_in: u64,
    pub packets_out: u64,
    pub octets_out: u64,
    pub rtcp_in: u64,
    pub rtcp_out: u64,
    /// Packets of somebody else: neither the negotiated nor the latched peer, or the wrong SSRC.
    pub dropped_stranger: u64,
    /// Not RTP, or not RTCP on the RTCP port.
    pub dropped_malformed: u64,
    /// The peer's packets that had nowhere to go: held, not linked, no address yet.
    pub dropped_unsent: u64,
    /// SDP or packets that named one of our own ports as the peer.
    pub refused_own: u64,
    /// Expected less received, RFC 3550 A.3; never below zero.
    pub lost: u64,
    /// Interarrival jitter in microseconds, RFC 3550 A.8, at a clock of 8000 Hz.
    pub jitter: u64,
    /// Times that the latched peer moved to another port or SSRC.
    pub relatched: u64,
}
