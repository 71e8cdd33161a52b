//! A NAT between phones and the rest — RFC 4787: endpoint-independent mapping, filtering by
//! choice, mappings that time out, and a rebind verb that forgets them all (a router restart).
//! Missing: hairpinning, port collisions, address-dependent mapping.
use crate::mix::{Draw, mix, within};
use bitspath_core::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
struct Mapping {
    inside: SocketAddr,
    last: Instant,
}

#[derive(Clone, Debug)]
pub struct Nat {
    pub name: String,
    pub address: IpAddr,
    /// Drops what comes from an address and port that the inside never sent to.
    pub filtered: bool,
    pub timeout: Duration,
    /// Outside port to inside address.
    mappings: BTreeMap<u16, Mapping>,
    contacted: BTreeMap<(u16, SocketAddr), Instant>,
    drawn: u64,
}

impl Nat {
    pub fn new(name: &str, address: IpAddr, filtered: bool, timeout: Duration) -> Nat {
        Nat {
            name: name.to_owned(),
            address,
            filtered,
            timeout,
            mappings: BTreeMap::new(),
            contacted: BTreeMap::new(),
            drawn: 0,
        }
    }

    fn is_live(&self, last: Instant, now: Instant) -> bool {
        now.since(last) < self.timeout
    }

    /// Something leaves: its source address from now on, seen from outside.
    pub fn outward(
        &mut self,
        seed: u64,
        now: Instant,
        inside: SocketAddr,
        to: SocketAddr,
    ) -> SocketAddr {
        let timeout = self.timeout;
        self.mappings.retain(|_, m| now.since(m.last) < timeout);
        let known = self.mappings.iter().find(|(_, m)| m.inside == inside).map(|(p, _)| *p);
        let port = known.unwrap_or_else(|| self.free_port(seed));
        self.mappings.insert(port, Mapping { inside, last: now });
        if self.filtered {
            self.contacted.insert((port, to), now);
        }
        SocketAddr::new(self.address, port)
    }

    fn free_port(&mut self, seed: u64) -> u16 {
        loop {
            self.drawn += 1;
            let draw = mix(seed, u64::from(self.name.len() as u32), self.drawn, Draw::NatPort);
            let port = within(draw, 20_000, 59_999) as u16;
            if !self.mappings.contains_key(&port) {
                return port;
            }
        }
    }

    /// Something comes to an outside port: the inside address, or `None` to drop it.
    pub fn inward(&mut self, now: Instant, from: SocketAddr, port: u16) -> Option<SocketAddr> {
        let mapping = *self.mappings.get(&port)?;
        if !self.is_live(mapping.last, now) {
            return None;
        }
        let last = self.contacted.get(&(port, from)).copied();
        if self.filtered && !last.is_some_and(|last| self.is_live(last, now)) {
            return None;
        }
        // As Linux does: what comes in keeps the mapping alive too, RFC 4787 §4.3 allows it.
        if let Some(m) = self.mappings.get_mut(&port) {
            m.last = now;
        }
        if let Some(last) = self.contacted.get_mut(&(port, from)) {
            *last = now;
        }
        Some(mapping.inside)
    }

    /// Who is behind an outside port, dead or alive: the oracles' ground truth.
    pub fn inside_of(&self, port: u16) -> Option<SocketAddr> {
        self.mappings.get(&port).map(|m| m.inside)
    }

    /// The router restarts: every mapping is forgotten, new ones get new ports.
    pub fn rebind(&mut self) {
        self.mappings.clear();
        self.contacted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(s: &str) -> SocketAddr {
        s.parse().unwrap()
    }

    #[test]
    fn a_mapping_serves_every_peer_until_it_times_out_or_the_router_restarts() {
        let ip = "198.51.100.1".parse().unwrap();
        let mut nat = Nat::new("home", ip, false, Duration::from_secs(30));
        let (phone, pbx) = (addr("192.168.0.2:5060"), addr("203.0.113.10:5060"));
        let out = nat.outward(1, Instant(0), phone, pbx);
        assert_eq!(out, nat.outward(1, Instant(1), phone, addr("203.0.113.99:1")));
        assert_eq!(nat.inward(Instant(2), addr("9.9.9.9:9"), out.port()), Some(phone));
        assert_eq!(nat.inward(Instant(40_000_000_000), pbx, out.port()), None);
        let out = nat.outward(1, Instant(50_000_000_000), phone, pbx);
        nat.rebind();
        assert_eq!(nat.inward(Instant(50_000_000_001), pbx, out.port()), None);
        assert_ne!(out, nat.outward(1, Instant(50_000_000_002), phone, pbx));
    }

    #[test]
    fn a_filtering_nat_lets_in_only_whom_the_inside_has_spoken_to() {
        let ip = "198.51.100.1".parse().unwrap();
        let mut nat = Nat::new("home", ip, true, Duration::from_secs(30));
        let (phone, pbx) = (addr("192.168.0.2:5060"), addr("203.0.113.10:5060"));
        let out = nat.outward(1, Instant(0), phone, pbx);
        assert_eq!(nat.inward(Instant(1), pbx, out.port()), Some(phone));
        assert_eq!(nat.inward(Instant(1), addr("203.0.113.10:5062"), out.port()), None);
    }
}
