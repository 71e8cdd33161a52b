//! A peer's address in 24 octets of plain data, and which addresses of an SDP can be reached.
//! IPv4 is kept mapped into IPv6, so the two spellings of a dual-stack socket compare equal.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Addr {
    ip: [u8; 16],
    /// The link of a link-local address; zero elsewhere.
    scope: u32,
    port: u16,
}

impl Addr {
    pub fn port(self) -> u16 {
        self.port
    }
    pub fn same_ip(self, other: Addr) -> bool {
        self.ip == other.ip
    }
    pub fn ip(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical()
    }
    /// No address: nothing can be sent to it.
    #[inline]
    pub fn is_unset(self) -> bool {
        let unspecified =
            matches!(self.ip, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 | 0xff, 0 | 0xff, 0, 0, 0, 0]);
        self.port == 0 || unspecified
    }
    pub fn without_port(self) -> Addr {
        Addr { port: 0, scope: 0, ..self }
    }
}

impl From<SocketAddr> for Addr {
    #[inline]
    fn from(a: SocketAddr) -> Self {
        match a {
            SocketAddr::V4(a) => {
                Addr { ip: a.ip().to_ipv6_mapped().octets(), scope: 0, port: a.port() }
            }
            SocketAddr::V6(a) => Addr { ip: a.ip().octets(), scope: a.scope_id(), port: a.port() },
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        SocketAddr::new(ip, 0).into()
    }
}

impl From<Addr> for SocketAddr {
    #[inline]
    fn from(a: Addr) -> Self {
        match a.ip {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, w, x, y, z] => {
                SocketAddr::new(IpAddr::V4(Ipv4Addr::new(w, x, y, z)), a.port)
            }
            ip => SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), a.port, 0, a.scope)),
        }
    }
}

/// May media go to `sdp` before anything came from there? Not to what no packet can reach, and not
/// to a private network that the peer's signalling does not come from: behind NAT the same numbers
/// are somebody else's.
pub fn is_routable(sdp: Addr, signalling: IpAddr, local: IpAddr) -> bool {
    if sdp.is_unset() {
        return false;
    }
    match reach(sdp.ip()) {
        Reach::Nowhere => false,
        Reach::Host => {
            let signalling = signalling.to_canonical();
            signalling == local.to_canonical() || reach(signalling) == Reach::Host
        }
        Reach::Site => matches!(reach(signalling.to_canonical()), Reach::Site | Reach::Host),
        Reach::World => true,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nowhere,
    Host,
    /// RFC 1918, RFC 6598, RFC 3927, RFC 4193 and link-local IPv6.
    Site,
    World,
}

fn reach(ip: IpAddr) -> Reach {
    if ip.is_unspecified() || ip.is_multicast() {
        return Reach::Nowhere;
    }
    if ip.is_loopback() {
        return Reach::Host;
    }
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            [0 | 240..=255, ..] => Reach::Nowhere,
            [100, 64..=127, ..] => Reach::Site,
            _ if v4.is_private() || v4.is_link_local() => Reach::Site,
            _ => Reach::World,
        },
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Reach::Site,
        IpAddr::V6(_) => Reach::World,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn routable(sdp: &str, signalling: &str) -> bool {
        let sdp: SocketAddr = sdp.parse().expect("address");
        let local: IpAddr = "203.0.113.10".parse().expect("address");
        is_routable(sdp.into(), signalling.parse().expect("address"), local)
    }

    #[test]
    fn a_private_sdp_address_is_reached_only_from_a_private_signalling_source() {
        assert!(routable("10.0.0.5:4000", "10.0.0.5"));
        assert!(routable("192.168.1.5:4000", "10.9.9.9"));
        assert!(!routable("192.168.1.5:4000", "198.51.100.7"));
        assert!(!routable("100.64.3.4:4000", "198.51.100.7"));
        assert!(!routable("[fd00::1]:4000", "2001:db8::1"));
        assert!(routable("198.51.100.8:4000", "10.0.0.5"));
        assert!(routable("[2001:db8::9]:4000", "2001:db8::1"));
    }

    #[test]
    fn nothing_is_sent_to_addresses_that_reach_nobody() {
        for sdp in ["0.0.0.0:4000", "10.0.0.5:0", "224.0.0.1:9", "255.255.255.255:9", "[::]:9"] {
            assert!(!routable(sdp, "10.0.0.5"), "{sdp}");
        }
        assert!(!routable("127.0.0.1:4000", "198.51.100.7"));
        assert!(routable("127.0.0.1:4000", "127.0.0.1"));
        assert!(routable("127.0.0.1:4000", "203.0.113.10"));
    }

    proptest! {
        #[test]
        fn an_address_survives_the_round_trip_in_its_canonical_form(a in any::<SocketAddr>()) {
            let back = SocketAddr::from(Addr::from(a));
            prop_assert_eq!((back.ip(), back.port()), (a.ip().to_canonical(), a.port()));
            prop_assert_eq!(Addr::from(back), Addr::from(back));
        }
    }
}
