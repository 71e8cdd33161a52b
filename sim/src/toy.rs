//! A host for any Node whose inputs and outputs are the bare network: the World without the PBX.
//! Used by the World's own tests and by machines that are not composed yet.
use crate::host::{Host, StreamId};
use crate::kernel::Cx;
use crate::stream::StreamIn;
use bitspath_core::{Bytes, Instant, ListenerId, NetIn, NetOut, Node};
use std::net::SocketAddr;

pub struct Toy<N> {
    pub node: N,
    address: SocketAddr,
}

impl<N: Node<Input = NetIn, Output = NetOut> + Send + 'static> Toy<N> {
    pub fn new(node: N, address: SocketAddr) -> Self {
        Toy { node, address }
    }

    fn drain(&mut self, cx: &mut Cx<'_>) {
        while let Some(out) = self.node.poll_output() {
            cx.fold(&out);
            if let NetOut::Datagram { peer, bytes, .. } = out {
                cx.send(self.address, peer, bytes);
            }
        }
    }
}

impl<N: Node<Input = NetIn, Output = NetOut> + Send + 'static> Host for Toy<N> {
    fn packet(&mut self, cx: &mut Cx<'_>, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let input = NetIn::Datagram { listener: ListenerId(0), peer: from, local: to, bytes };
        self.node.handle(cx.now(), input);
        self.drain(cx);
    }
    fn stream(&mut self, _cx: &mut Cx<'_>, _stream: StreamId, _input: StreamIn) {}
    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.node.handle_timeout(cx.now());
        self.drain(cx);
    }
    fn deadline(&self) -> Option<Instant> {
        self.node.poll_timeout().map(|(at, _)| at)
    }
    fn freeze_thaw(&mut self) {
        match N::thaw(&self.node.freeze()) {
            Ok(node) => self.node = node,
            Err(fault) => panic!("a frozen Node does not thaw: {fault}"),
        }
    }
}
