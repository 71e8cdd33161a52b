//! Streams of the World: in order, delayed, cut into chunks at seeded points, stalled by a
//! partition, ended by a reset. A lost segment on a lossy link costs time, never octets.
//!
//!   a ──Connect──▶ b accepts? ──Opened──▶ both      a ──Write──▶ chunks ──Data──▶ b
//!   either ──Close──▶ Closed at both, after the octets that were on their way
use crate::host::HostId;
use bitspath_core::Instant;
use bitspath_core::net::CloseReason;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What an end of a stream is told.
#[derive(Clone, Debug)]
pub enum StreamIn {
    Opened {
        peer: SocketAddr,
        local: SocketAddr,
        accepted: bool,
    },
    Data(Bytes),
    /// That many octets more left for the other side.
    Written(u32),
    Closed(CloseReason),
}

/// One end: the host, and the addresses as this end sees them.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub host: HostId,
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

#[derive(Debug)]
pub struct Stream {
    /// The caller, then the listener.
    pub ends: [End; 2],
    pub open: bool,
    /// What waits for each end, in order.
    pub queue: [VecDeque<StreamIn>; 2],
    /// Earliest time of the next delivery to each end.
    pub last: [Instant; 2],
    /// Chunks sent so far to each end.
    pub n: [u64; 2],
    /// Deliveries due while the link was cut.
    pub stalled: [u32; 2],
}

impl Stream {
    pub fn new(caller: End, listener: End) -> Stream {
        Stream {
            ends: [caller, listener],
            open: true,
            queue: Default::default(),
            last: [Instant(0); 2],
            n: [0; 2],
            stalled: [0; 2],
        }
    }

    /// Which end `host` is; the caller's end when a host calls itself.
    pub fn side(&self, host: HostId) -> usize {
        usize::from(self.ends[0].host != host)
    }
}
