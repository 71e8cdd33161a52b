//! The network as data: what may reach a Node and what it may ask for.
//! Owns: the datagram, ICMP and stream vocabulary, with the credits of rule 3.
//! Does not know: sockets. TLS and WebSocket add kinds, never verbs.
//!
//!   Node ──Connect──▶ host ──Opened──▶ Node      inbound: the host mints the ConnId (even)
//!   Node ◀──Data────  host               Grant{bytes} gives the peer room for that much more
//!   Node ──Write────▶ host ──Writable──▶ Node     `bytes_done` returns the Node's write credit
//!   Node ──Close────▶ host ──Closed────▶ Node     exactly one `Closed` ends every `ConnId`
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// Position of a listener in the configuration: a bound UDP socket or a TCP, TLS or WS listener.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct ListenerId(pub u16);

/// One stream connection, never used again after its `Closed`. The host mints even ids for
/// accepted connections, the Node odd ones for those that it asks to `Connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnId(pub u64);

impl ConnId {
    pub const fn is_ours(self) -> bool {
        self.0 % 2 == 1
    }
}

/// What carries SIP on a flow. The order is that of the RFC 3261 §19.1 `transport` parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl Transport {
    /// RFC 3261 §17: an unreliable transport needs retransmission by the transaction.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }
    /// The token of the Via header, RFC 3261 §20.42 and RFC 7118 §5.2.
    pub const fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_token())
    }
}

/// What an opened stream turned out to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StreamKind {
    Tcp,
    Tls { sni: Option<String> },
    Ws { host: String, origin: Option<String> },
    Wss { sni: Option<String>, host: String, origin: Option<String> },
}

impl StreamKind {
    pub const fn transport(&self) -> Transport {
        match self {
            StreamKind::Tcp => Transport::Tcp,
            StreamKind::Tls { .. } => Transport::Tls,
            StreamKind::Ws { .. } => Transport::Ws,
            StreamKind::Wss { .. } => Transport::Wss,
        }
    }
}

/// Why a stream ended. Who is to blame is in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    Eof,
    Reset,
    Refused,
    Unreachable,
    /// The TLS alert number, RFC 8446 §6.
    Tls(u8),
    NameMismatch,
    Idle,
    Slow,
    TooLong,
    Shutdown,
}

/// From the network to a Node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NetIn {
    /// `local` is the address that the datagram was sent to (IP_PKTINFO), not the wildcard.
    Datagram {
        listener: ListenerId,
        peer: SocketAddr,
        local: SocketAddr,
        bytes: Bytes,
    },
    /// An ICMP error for a datagram that we sent to `peer`.
    Icmp {
        listener: ListenerId,
        peer: SocketAddr,
        reason: CloseReason,
    },
    Opened {
        conn: ConnId,
        listener: ListenerId,
        peer: SocketAddr,
        local: SocketAddr,
        kind: StreamKind,
    },
    Data {
        conn: ConnId,
        bytes: Bytes,
    },
    /// `bytes_done` more octets left for the kernel: that much write credit is back.
    Writable {
        conn: ConnId,
        bytes_done: u32,
    },
    Closed {
        conn: ConnId,
        reason: CloseReason,
    },
}

/// From a Node to the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NetOut {
    /// `local` is the source address to use; unspecified lets the route decide.
    Datagram {
        listener: ListenerId,
        local: IpAddr,
        peer: SocketAddr,
        bytes: Bytes,
    },
    Connect {
        conn: ConnId,
        listener: ListenerId,
        peer: SocketAddr,
        transport: Transport,
    },
    Write {
        conn: ConnId,
        bytes: Bytes,
    },
    /// Inbound credit: the host may deliver `bytes` more octets of this connection.
    Grant {
        conn: ConnId,
        bytes: u32,
    },
    Close {
        conn: ConnId,
        reason: CloseReason,
    },
}
