//! What stands at an address of the World: a server, a phone, a toy. One trait, raw packets and
//! streams; a host that carries a Node translates them to `NetIn` and back (`server_host`, `toy`).
use crate::kernel::Cx;
use crate::stream::StreamIn;
use bitspath_core::Instant;
use bytes::Bytes;
use std::any::Any;
use std::net::SocketAddr;

/// A host's place in the World.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostId(pub u16);

/// One stream of the World; each end names it by the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

pub trait Host: Any + Send {
    /// A datagram came; `to` is the address that it was sent to.
    fn packet(&mut self, cx: &mut Cx<'_>, from: SocketAddr, to: SocketAddr, bytes: Bytes);
    fn stream(&mut self, _cx: &mut Cx<'_>, _stream: StreamId, _input: StreamIn) {}
    /// Something that the host sent to itself with [`Cx::later`].
    fn later(&mut self, _cx: &mut Cx<'_>, _token: u64) {}
    fn timeout(&mut self, cx: &mut Cx<'_>);
    fn deadline(&self) -> Option<Instant>;
    /// Replaces every Node by its frozen and thawed self; no later hash may change.
    fn freeze_thaw(&mut self) {}
}
