//! A packet in its place in a batch, and the trait behind which the sockets are.
//!
//!   recv_batch ─▶ [Slot; n] ─▶ Shard::relay (verdict and peer rewritten in place) ─▶ send_batch
use crate::command::PortNo;
use bitspath_core::limits::RTP_PACKET_BYTES_MAX;
use bitspath_core::{Fault, Instant};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Drop,
    /// Leaves from this port of ours to [`Slot::peer`].
    Forward {
        port: PortNo,
        rtcp: bool,
    },
}

/// One packet: received, decided and sent in the same place.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The port of ours that it came to.
    pub local: PortNo,
    pub rtcp: bool,
    /// Its source when received, its destination once the verdict is `Forward`.
    pub peer: SocketAddr,
    pub verdict: Verdict,
    pub len: u16,
    pub buf: [u8; RTP_PACKET_BYTES_MAX],
}

impl Default for Slot {
    fn default() -> Self {
        Slot {
            local: PortNo(0),
            rtcp: false,
            peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            verdict: Verdict::Drop,
            len: 0,
            buf: [0; RTP_PACKET_BYTES_MAX],
        }
    }
}

impl Slot {
    /// A received packet; what is longer than the buffer makes an empty one, which is dropped.
    pub fn fill(&mut self, local: PortNo, rtcp: bool, peer: SocketAddr, packet: &[u8]) {
        (self.local, self.rtcp, self.peer) = (local, rtcp, peer);
        self.verdict = Verdict::Drop;
        self.len = 0;
        if let Some(room) = self.buf.get_mut(..packet.len()) {
            room.copy_from_slice(packet);
            self.len = packet.len() as u16;
        }
    }

    pub fn packet(&self) -> &[u8] {
        self.buf.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// What the sockets have seen beside packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NetStats {
    /// The kernel's queue was full (SO_RXQ_OVFL).
    pub overflowed: u64,
    /// Longer than a slot.
    pub truncated: u64,
    /// Packets that came to a port at rest.
    pub drained: u64,
    pub send_errors: u64,
    pub receive_errors: u64,
}

/// Sockets by port. Backends: epoll in the shell, the World's network in the simulator.
pub trait MediaNet {
    fn open(&mut self, ip: IpAddr, port: PortNo, rtcp: bool) -> Result<(), Fault>;
    fn close(&mut self, port: PortNo, rtcp: bool);
    /// Fills slots from the front and says how many; parks at most until `until`.
    fn recv_batch(&mut self, out: &mut [Slot], until: Option<Instant>) -> Result<usize, Fault>;
    /// Sends those whose verdict is `Forward`; says how many left.
    fn send_batch(&mut self, slots: &mut [Slot]) -> usize;
    fn stats(&self) -> NetStats;
}
