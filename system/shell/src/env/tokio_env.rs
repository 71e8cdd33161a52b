//! Production: the clocks of the system, its entropy, its sockets, a tokio `LocalSet`.
use super::udp::KernelUdp;
use super::{Ends, Env, Listener};
use bitspath_core::{Instant, Now, UnixTime};
use socket2::{Domain, Protocol, Socket, Type};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel completes while the loop is busy.
const BACKLOG: i32 = 1024;

/// Monotonic time counts from the making of this value.
#[derive(Clone, Copy, Debug)]
pub struct TokioEnv {
    origin: tokio::time::Instant,
}

impl TokioEnv {
    pub fn new() -> Self {
        TokioEnv { origin: tokio::time::Instant::now() }
    }

    /// When this value was made: media workers count from the same moment.
    pub fn origin(&self) -> std::time::Instant {
        self.origin.into_std()
    }
}

impl Default for TokioEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for TokioEnv {
    type Udp = KernelUdp;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn now(&self) -> Now {
        let mono = self.origin.elapsed().as_nanos();
        let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let secs = u64::try_from(wall.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(wall.tv_nsec).unwrap_or(0);
        Now {
            // One nanosecond at least: zero is the time before the first input.
            mono: Instant(u64::try_from(mono).unwrap_or(u64::MAX).max(1)),
            wall: UnixTime(secs.saturating_mul(1_000_000_000).saturating_add(nanos)),
        }
    }

    async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep_until(self.origin + Duration::from_nanos(at.0)).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }

    fn entropy(&self) -> io::Result<[u8; 32]> {
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(key)
    }

    async fn udp(&self, at: SocketAddr) -> io::Result<KernelUdp> {
        KernelUdp::bind(at)
    }

    async fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for connections of the last run to time out.
        socket.set_reuse_address(true)?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Ends)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok((stream, Ends { local, peer }))
    }
}

/// Addresses of this host, loopback last. Read from the kernel's tables as text: `getifaddrs` has
/// no safe wrapper among our dependencies.
pub fn local_addresses() -> Vec<IpAddr> {
    let trie = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut found: Vec<IpAddr> = v4_addresses(&trie).map(IpAddr::V4).collect();
    found.extend(v6_addresses(&v6).map(IpAddr::V6));
    found.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
    found.dedup();
    found
}

/// Of each `/32 host LOCAL`, the address on the line before it.
fn v4_addresses(trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines: Vec<&str> = trie.lines().collect();
    let found: Vec<Ipv4Addr> = lines
        .windows(2)
        .filter_map(|w| match w {
            [leaf, kind] if kind.trim() == "/32 host LOCAL" => {
                leaf.trim().strip_prefix("|-- ")?.parse().ok()
            }
            _ => None,
        })
        .collect();
    found.into_iter()
}

/// Link-local addresses need a scope that no SIP message can carry: they are left out.
fn v6_addresses(table: &str) -> impl Iterator<Item = Ipv6Addr> {
    table
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(Ipv6Addr::from)
        .filter(|ip| !ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Udp;

    #[test]
    fn addresses_are_read_from_the_kernels_tables() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.2.15\n        /32 host LOCAL\n     \
                    |-- 10.0.2.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        \
                    /32 host LOCAL\n";
        let found: Vec<_> = v4_addresses(trie).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["10.0.2.15", "127.0.0.1"]);
        let table = "fe800000000000000000000000000001 02 40 20 80 eth0\n\
                     00000000000000000000000000000001 01 80 10 80 lo\n";
        let found: Vec<_> = v6_addresses(table).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["::1"]);
    }

    #[test]
    fn a_wildcard_socket_knows_and_chooses_its_local_address() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let env = TokioEnv::new();
            let any: SocketAddr = "0.0.0.0:0".parse().expect("an address");
            let (a, b) = (env.udp(any).await.expect("binds"), env.udp(any).await.expect("binds"));
            let port = |u: &KernelUdp| u.try_recv(&mut Vec::new()).err().map(|_| u.port());
            let to = SocketAddr::from(([127, 0, 0, 2], port(&b).expect("nothing there")));
            let from = IpAddr::from([127, 0, 0, 3]);
            let large = vec![b'x'; 9000];
            for bytes in [&b"one"[..], b"two", b"", &large] {
                a.try_send(from, to, bytes).expect("sends");
            }
            let mut got = Vec::new();
            while got.len() < 4 {
                b.readable().await.expect("readable");
                let _ = b.try_recv(&mut got);
            }
            let lengths: Vec<_> = got.iter().map(|d| d.bytes.len()).collect();
            assert_eq!(lengths, [3, 3, 0, 9000]);
            assert!(got.iter().all(|d| d.local == to && d.peer.ip() == from));
        });
    }
}
