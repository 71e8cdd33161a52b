//! What we call ourselves towards a peer: the address in Via, Contact, `c=` and `m=`.
//! Owns: the choice between our own address on the route to that peer and the external one that
//! 1:1 NAT gives us. Does not know: interfaces beyond those told at start, DNS.
//!
//! ```text
//!   bind is one address ───────────────────────────────▶ that address ┐ peer outside local_nets
//!   bind is the wildcard ─▶ the address the peer sent to ─▶ address ──┤ and external_address set
//!                           (else the first of the host)              └─▶ external_address
//! ```
use crate::config::{Config, Listener};
use bitspath_core::ListenerId;
use bitspath_core::net::Transport;
use bitspath_sip::endpoint::Flow;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertise {
    listeners: Vec<Listener>,
    /// Where RTP is bound, when it is not where SIP is.
    media: Option<IpAddr>,
    /// Addresses of this host, loopback included.
    host: Vec<IpAddr>,
}

impl Advertise {
    pub fn new(config: &Config, host: Vec<IpAddr>) -> Self {
        Advertise { listeners: config.listeners.clone(), media: config.media.ip, host }
    }

    /// The address under which this flow's peer reaches us.
    pub fn ip(&self, flow: &Flow) -> IpAddr {
        self.told(flow, self.own(flow))
    }

    /// The port that this flow's peer reaches us at: always the listener's.
    pub fn port(&self, flow: &Flow) -> u16 {
        self.listener(flow.listener).map_or(5060, |l| l.bind.port())
    }

    /// The `sent-by` of our Via, RFC 3261 §18.1.1.
    pub fn sent_by(&self, flow: &Flow) -> String {
        SocketAddr::new(self.ip(flow), self.port(flow)).to_string()
    }

    /// Our Contact towards this peer: `<sip:user@address:port;transport=tcp>`.
    pub fn contact(&self, flow: &Flow, user: &str) -> String {
        let (sent_by, transport) = (self.sent_by(flow), transport_param(flow.transport));
        format!("<sip:{user}@{sent_by}{transport}>")
    }

    /// The address of `c=` and `m=` towards this peer.
    pub fn media_ip(&self, flow: &Flow) -> IpAddr {
        let own = self.media.filter(|ip| !ip.is_unspecified() && ip_family(ip, &flow.peer));
        self.told(flow, own.unwrap_or_else(|| self.own(flow)))
    }

    pub fn host(&self) -> &[IpAddr] {
        &self.host
    }

    /// Whether `host` is one of our own addresses, however it is written.
    pub fn is_own(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let Ok(ip) = bare.parse::<IpAddr>() else { return false };
        self.host.contains(&ip)
            || self.listeners.iter().any(|l| l.bind.ip() == ip || l.external_address == Some(ip))
    }

    /// What each listener says of itself, for `up`: (listener, addresses told to local peers and
    /// to the world).
    pub fn addresses(&self) -> impl Iterator<Item = (&Listener, Vec<SocketAddr>)> {
        self.listeners.iter().map(|l| {
            let mut ips: Vec<IpAddr> = if l.bind.ip().is_unspecified() {
                self.host.iter().copied().filter(|ip| ip.is_ipv4() == l.bind.is_ipv4()).collect()
            } else {
                vec![l.bind.ip()]
            };
            ips.extend(l.external_address.filter(|ip| !ips.contains(ip)));
            (l, ips.into_iter().map(|ip| SocketAddr::new(ip, l.bind.port())).collect())
        })
    }

    fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(usize::from(id.0))
    }

    /// Our own address on the way to this peer.
    fn own(&self, flow: &Flow) -> IpAddr {
        let bind = self.listener(flow.listener).map(|l| l.bind.ip());
        let known = |ip: &IpAddr| !ip.is_unspecified();
        Some(flow.local)
            .filter(known)
            .or(bind.filter(known))
            .or_else(|| self.host.iter().copied().find(|ip| serves(*ip, flow.peer.ip())))
            .or_else(|| self.host.iter().copied().find(|ip| ip_family(ip, &flow.peer)))
            .unwrap_or(match flow.peer {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            })
    }

    fn told(&self, flow: &Flow, own: IpAddr) -> IpAddr {
        let Some(listener) = self.listener(flow.listener) else { return own };
        let peer = flow.peer.ip().to_canonical();
        let near = peer.is_loopback() || listener.local_nets.iter().any(|n| n.contains(&peer));
        listener
            .external_address
            .filter(|ip| !near && ip.is_ipv4() == own.to_canonical().is_ipv4())
            .unwrap_or(own)
            .to_canonical()
    }
}

/// The URI parameter that makes a peer come back over the same transport.
pub const fn transport_param(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Ws | Transport::Wss => ";transport=ws",
    }
}

/// A loopback address serves loopback peers only, and the other way round.
fn serves(own: IpAddr, peer: IpAddr) -> bool {
    own.is_ipv4() == peer.is_ipv4() && own.is_loopback() == peer.is_loopback()
}

fn ip_family(ip: &IpAddr, peer: &SocketAddr) -> bool {
    ip.is_ipv4() == peer.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertise(listen: &str, host: &[&str]) -> Advertise {
        let text = format!("[listen]\n{listen}\n[[tenant]]\nname = \"a\"\n");
        let config = Config::parse(&text).expect("a good configuration");
        Advertise::new(&config, host.iter().map(|ip| ip.parse().expect("an address")).collect())
    }

    fn flow(local: &str, peer: &str) -> Flow {
        Flow {
            listener: ListenerId(0),
            transport: Transport::Udp,
            local: local.parse().expect("an address"),
            peer: peer.parse().expect("an address"),
            conn: None,
        }
    }

    #[test]
    fn a_wildcard_bind_tells_each_peer_the_address_it_sent_to() {
        let a = advertise("udp = [\"0.0.0.0:5060\"]", &["127.0.0.1", "10.0.0.1", "192.0.2.1"]);
        assert_eq!(a.sent_by(&flow("127.0.0.1", "127.0.0.1:5090")), "127.0.0.1:5060");
        assert_eq!(a.sent_by(&flow("10.0.0.1", "10.0.0.9:5060")), "10.0.0.1:5060");
        assert_eq!(a.sent_by(&flow("192.0.2.1", "198.51.100.7:5060")), "192.0.2.1:5060");
        assert_eq!(a.sent_by(&flow("0.0.0.0", "198.51.100.7:5060")), "10.0.0.1:5060");
    }

    #[test]
    fn behind_one_to_one_nat_only_strangers_hear_the_external_address() {
        let a = advertise(
            "udp = [{ address = \"0.0.0.0:5060\", external_address = \"203.0.113.5\", \
             local_nets = [\"10.0.0.0/8\"] }]",
            &["127.0.0.1", "10.0.0.1"],
        );
        assert_eq!(a.ip(&flow("10.0.0.1", "10.3.4.5:5060")).to_string(), "10.0.0.1");
        assert_eq!(a.ip(&flow("127.0.0.1", "127.0.0.1:5090")).to_string(), "127.0.0.1");
        let stranger = flow("10.0.0.1", "198.51.100.7:4000");
        assert_eq!(a.contact(&stranger, "00ab"), "<sip:00ab@203.0.113.5:5060>");
        assert_eq!(a.media_ip(&stranger).to_string(), "203.0.113.5");
        assert!(a.is_own("203.0.113.5") && !a.is_own("203.0.113.6"));
    }

    #[test]
    fn media_may_have_an_address_of_its_own() {
        let text = "[listen]\nudp = [\"10.0.0.1:5060\"]\n[media]\nip = \"10.0.0.2\"\n\
                    [[tenant]]\nname = \"a\"\n";
        let config = Config::parse(text).expect("a good configuration");
        let a = Advertise::new(&config, Vec::new());
        let peer = flow("10.0.0.1", "10.0.0.9:5060");
        assert_eq!((a.ip(&peer), a.media_ip(&peer)), {
            ("10.0.0.1".parse().expect("ip"), "10.0.0.2".parse().expect("ip"))
        });
    }

    #[test]
    fn version_six_stands_in_brackets() {
        let a = advertise("udp = [\"[::]:5060\"]", &["::1", "2001:db8::1"]);
        let peer = flow("2001:db8::1", "[2001:db8::9]:5060");
        assert_eq!(a.contact(&peer, "x"), "<sip:x@[2001:db8::1]:5060>");
    }
}
