//! A UDP socket of the kernel, in batches. The local address of each datagram is known and chosen
//! by IP_PKTINFO, which `quinn-udp` wraps safely; nothing unsafe is needed here.
//! Missing: ICMP errors, IPv6 datagrams above the path MTU (the wrapper forbids fragments there).
use super::{Datagram, Udp};
use bitspath_core::Bytes;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery};
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;

/// Room for what comes while the loop is busy: about 10,000 requests.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// Largest UDP payload; the kernel joins equal datagrams of one peer up to this.
const DATAGRAM_BYTES_MAX: usize = 65_536;

#[derive(Debug)]
pub struct KernelUdp {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
    buffers: RefCell<Vec<u8>>,
}

impl KernelUdp {
    pub fn bind(at: SocketAddr) -> io::Result<KernelUdp> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&at.into())?;
        enlarge(&socket)?;
        let state = UdpSocketState::new((&socket).into())?;
        if at.is_ipv4() {
            //= RFC 3261 §18.1.1
            // A request larger than the path MTU may still have to go over UDP: let it fragment.
            sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
        }
        let socket = tokio::net::UdpSocket::from_std(socket.into())?;
        let bound = socket.local_addr()?;
        let buffers = RefCell::new(vec![0; BATCH_SIZE * DATAGRAM_BYTES_MAX]);
        Ok(KernelUdp { socket, state, bound, buffers })
    }

    #[cfg(test)]
    pub fn port(&self) -> u16 {
        self.bound.port()
    }

    fn recv(&self, into: &mut Vec<Datagram>) -> io::Result<()> {
        let mut buffers = self.buffers.borrow_mut();
        let mut slices: Vec<IoSliceMut<'_>> =
            buffers.chunks_mut(DATAGRAM_BYTES_MAX).map(IoSliceMut::new).collect();
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let count = self.state.recv((&self.socket).into(), &mut slices, &mut metas)?;
        for (slice, meta) in slices.iter().zip(&metas).take(count) {
            let ip = meta.dst_ip.unwrap_or(self.bound.ip());
            let local = SocketAddr::new(ip, self.bound.port());
            let whole = slice.get(..meta.len).unwrap_or_default();
            if whole.is_empty() {
                into.push(Datagram { peer: meta.addr, local, bytes: Bytes::new() });
            }
            // The kernel may have joined datagrams of one peer: each is `stride` long.
            for part in whole.chunks(meta.stride.max(1)) {
                let bytes = Bytes::copy_from_slice(part);
                into.push(Datagram { peer: meta.addr, local, bytes });
            }
        }
        Ok(())
    }
}

impl Udp for KernelUdp {
    async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    fn try_recv(&self, into: &mut Vec<Datagram>) -> io::Result<()> {
        self.socket.try_io(Interest::READABLE, || self.recv(into))
    }

    fn try_send(&self, local: IpAddr, peer: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let transmit = Transmit {
            destination: peer,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: Some(local).filter(|ip| !ip.is_unspecified()),
        };
        // Past tokio's readiness: the kernel itself says when its buffer is full.
        self.state.try_send((&self.socket).into(), &transmit)
    }
}

/// As much as root may have, else as much as the system allows.
fn enlarge(socket: &Socket) -> io::Result<()> {
    if sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER_BYTES).is_err() {
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    }
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)
}
