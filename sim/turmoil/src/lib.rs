//! The shell inside turmoil: the same `run()` as production on simulated UDP and TCP, with virtual
//! time. For what World cannot see: the loop, its tasks, the streams (at most 20 hosts; faults come
//! from our own decorator, never from turmoil's `fail_rate`).
#![forbid(unsafe_code)]

use bitspath_core::{Instant, Now, UnixTime};
use bitspath_shell::env::{Datagram, Ends, Env, Listener, Udp};
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

/// 2026-01-01T00:00:00Z, where every simulated wall clock begins.
const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// One host's surroundings; the key stands in for the entropy of its operating system.
#[derive(Clone, Debug)]
pub struct TurmoilEnv {
    key: [u8; 32],
}

impl TurmoilEnv {
    pub const fn new(key: [u8; 32]) -> Self {
        TurmoilEnv { key }
    }
}

impl Env for TurmoilEnv {
    type Udp = SimUdp;
    type Listener = SimListener;
    type Stream = TcpStream;

    fn now(&self) -> Now {
        let ns = turmoil::sim_elapsed().unwrap_or_default().as_nanos() as u64;
        Now { mono: Instant(ns.max(1)), wall: UnixTime(EPOCH_NS + ns) }
    }

    async fn sleep_until(&self, at: Instant) {
        sleep(at.since(self.now().mono)).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }

    fn entropy(&self) -> io::Result<[u8; 32]> {
        Ok(self.key)
    }

    async fn udp(&self, at: SocketAddr) -> io::Result<SimUdp> {
        Ok(SimUdp { socket: UdpSocket::bind(at).await?, local: at })
    }

    async fn listen(&self, at: SocketAddr) -> io::Result<SimListener> {
        Ok(SimListener(TcpListener::bind(at).await?))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

/// turmoil has one address per host and no way to choose it: `local` is what was bound.
pub struct SimUdp {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Udp for SimUdp {
    async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    fn try_recv(&self, into: &mut Vec<Datagram>) -> io::Result<()> {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let (length, peer) = self.socket.try_recv_from(&mut buffer)?;
        buffer.truncate(length);
        into.push(Datagram { peer, local: self.local, bytes: Bytes::from(buffer) });
        Ok(())
    }

    fn try_send(&self, _local: IpAddr, peer: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        self.socket.try_send_to(bytes, peer).map(|_| ())
    }
}

pub struct SimListener(TcpListener);

impl Listener for SimListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Ends)> {
        let (stream, peer) = self.0.accept().await?;
        let local = stream.local_addr()?;
        Ok((stream, Ends { local, peer }))
    }
}

/// Longer than any answer of a server that lives.
pub const PATIENCE: Duration = Duration::from_secs(5);
