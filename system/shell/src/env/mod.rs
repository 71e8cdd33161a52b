//! The surroundings as a trait: clock, entropy, tasks, UDP and TCP. Small on purpose: whatever is
//! not here (disk, threads, signals) reaches the loop through bounded channels instead.
//! Futures need not be `Send`: one Node, one thread.
mod tokio_env;
mod udp;

pub use tokio_env::{TokioEnv, local_addresses};

use bitspath_core::{Bytes, Instant, Now};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};

pub trait Env: Clone + 'static {
    type Udp: Udp;
    type Listener: Listener<Stream = Self::Stream>;
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Both clocks. The loop calls it once per batch.
    fn now(&self) -> Now;
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()>;
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
    /// 256 bits nobody else knows.
    fn entropy(&self) -> io::Result<[u8; 32]>;

    fn udp(&self, at: SocketAddr) -> impl Future<Output = io::Result<Self::Udp>>;
    fn listen(&self, at: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>>;
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// A datagram as it was received: `local` is the address that it was sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub bytes: Bytes,
}

pub trait Udp: 'static {
    /// Waits until something can be received; safe to drop.
    fn readable(&self) -> impl Future<Output = io::Result<()>>;
    /// Receives what is there, up to a batch, without waiting; `WouldBlock` when nothing is.
    fn try_recv(&self, into: &mut Vec<Datagram>) -> io::Result<()>;
    /// Sends one datagram from `local`; an unspecified address lets the route decide.
    fn try_send(&self, local: IpAddr, peer: SocketAddr, bytes: &[u8]) -> io::Result<()>;
}

pub trait Listener: 'static {
    type Stream;
    /// Safe to drop.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Ends)>>;
}

/// The two ends of an accepted stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub local: SocketAddr,
    pub peer: SocketAddr,
}
