//! Captures: what we saw as a pcapng that Wireshark opens, and foreign captures as datagrams.
//! Owns: files, link layers, synthetic IP headers.  Does not know: what the payload means.
//!
//!   [`Packet`] ──emit──▶ IP + UDP or TCP header ──▶ pcapng (raw IP, nanoseconds)
//!   pcap, pcapng ──▶ link layer ──▶ IP, fragments joined ──parse──▶ [`Packet`]
//!
//! Missing: TCP reassembly (the payload of a segment is given as it was captured), IPv6 fragments.
mod ip;
mod reader;
mod writer;

pub use reader::{PacketFault, is_capture, packets};
pub use writer::Capture;

use std::net::SocketAddr;
use std::time::Duration;

/// What carried the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Carrier {
    Udp,
    /// `seq` is the number of the first payload octet.
    Tcp {
        seq: u32,
    },
    /// Any other IP protocol, SCTP (132) above all; the ports of its addresses are zero.
    Ip {
        protocol: u8,
    },
}

/// One datagram or segment with payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Since 1970.
    pub at: Duration,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub carrier: Carrier,
    pub payload: Vec<u8>,
}

#[cfg(test)]
mod tests;
