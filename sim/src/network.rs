//! Who stands where: addresses, links, NATs, one-to-one translation, streams, partitions.
//! Owns: routing and the ground truth of who is behind an address.  Does not know: SIP.
use crate::host::HostId;
use crate::link::{Link, Rates};
use crate::mix::{Draw, mix, within};
use crate::nat::Nat;
use crate::stream::Stream;
use bitspath_core::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// What an address leads to.
#[derive(Clone, Copy, Debug)]
enum Place {
    Host(HostId),
    /// The public side of a one-to-one NAT and the private address behind it.
    Public(HostId, IpAddr),
    Nat(usize),
}

#[derive(Debug)]
struct Site {
    name: String,
    /// The NAT that this host sits behind.
    gateway: Option<usize>,
    /// (public, private): packets that leave for elsewhere carry the public one.
    public: Option<(IpAddr, IpAddr)>,
    /// Added to this host's wall clock.
    skew_ns: i64,
}

#[derive(Debug, Default)]
pub struct Network {
    sites: Vec<Site>,
    places: BTreeMap<IpAddr, Place>,
    /// Indexed by from * sites + to; built when the first packet flows.
    links: Vec<Link>,
    pub nats: Vec<Nat>,
    pub streams: Vec<Stream>,
    listening: BTreeSet<(HostId, u16)>,
}

/// How a datagram travels: the source that the receiver sees, the true receiver, and the address
/// as the receiver knows it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub host: HostId,
}

impl Network {
    pub fn add_host(&mut self, name: &str, ips: &[IpAddr]) -> HostId {
        let id = HostId(self.sites.len() as u16);
        let site = Site { name: name.to_owned(), gateway: None, public: None, skew_ns: 0 };
        self.sites.push(site);
        for ip in ips {
            self.places.insert(*ip, Place::Host(id));
        }
        id
    }

    pub fn add_nat(&mut self, nat: Nat, behind: &[HostId]) {
        let at = self.nats.len();
        self.places.insert(nat.address, Place::Nat(at));
        self.nats.push(nat);
        for host in behind {
            if let Some(site) = self.sites.get_mut(usize::from(host.0)) {
                site.gateway = Some(at);
            }
        }
    }

    /// One-to-one NAT: `public` leads to `private` of this host, both ways.
    pub fn add_public(&mut self, host: HostId, public: IpAddr, private: IpAddr) {
        self.places.insert(public, Place::Public(host, private));
        if let Some(site) = self.sites.get_mut(usize::from(host.0)) {
            site.public = Some((public, private));
        }
    }

    pub fn listen(&mut self, host: HostId, port: u16) {
        self.listening.insert((host, port));
    }

    pub fn is_listening(&self, host: HostId, port: u16) -> bool {
        self.listening.contains(&(host, port))
    }

    pub fn name(&self, host: HostId) -> &str {
        self.sites.get(usize::from(host.0)).map_or("?", |s| s.name.as_str())
    }

    pub fn host(&self, name: &str) -> Option<HostId> {
        self.sites.iter().position(|s| s.name == name).map(|at| HostId(at as u16))
    }

    pub fn len(&self) -> usize {
        self.sites.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    pub fn skew(&mut self, host: HostId, ns: i64) {
        if let Some(site) = self.sites.get_mut(usize::from(host.0)) {
            site.skew_ns += ns;
        }
    }

    pub fn skew_of(&self, host: HostId) -> i64 {
        self.sites.get(usize::from(host.0)).map_or(0, |s| s.skew_ns)
    }

    pub fn link_id(&self, from: HostId, to: HostId) -> u32 {
        u32::from(from.0) * self.sites.len() as u32 + u32::from(to.0)
    }

    /// Names of the two ends of a link.
    pub fn link_ends(&self, id: u32) -> (HostId, HostId) {
        let n = (self.sites.len() as u32).max(1);
        (HostId((id / n) as u16), HostId((id % n) as u16))
    }

    /// The link of one direction; healthy delays are drawn once per run.
    pub fn link(&mut self, seed: u64, from: HostId, to: HostId) -> &mut Link {
        let n = self.sites.len();
        if self.links.len() != n * n {
            self.links = (0..(n * n) as u64)
                .map(|id| {
                    let base = within(mix(seed, id, 0, Draw::Base), 200_000, 15_000_000);
                    Link { base, jitter: base / 4, ..Link::default() }
                })
                .collect();
        }
        let at = usize::from(from.0) * n + usize::from(to.0);
        &mut self.links[at]
    }

    pub fn set_rates(&mut self, seed: u64, from: HostId, to: HostId, rates: Rates) {
        self.link(seed, from, to).rates = rates;
    }

    pub fn heal(&mut self) {
        self.links.iter_mut().for_each(Link::heal);
    }

    /// Sends from `from` of `host` to `to`: `None` when the address leads nowhere.
    pub fn route(
        &mut self,
        seed: u64,
        now: Instant,
        host: HostId,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<Route> {
        let (gateway, public) =
            self.sites.get(usize::from(host.0)).map(|s| (s.gateway, s.public))?;
        let target = *self.places.get(&to.ip())?;
        let inside = |net: &Network, h: HostId| {
            net.sites.get(usize::from(h.0)).and_then(|s| s.gateway) == gateway
        };
        let mut seen = from;
        match (gateway, target) {
            (Some(_), Place::Host(h)) if inside(self, h) => {}
            (Some(at), _) => seen = self.nats.get_mut(at)?.outward(seed, now, from, to),
            (None, Place::Host(h)) => {
                // A private address is not reachable from the other side of its NAT.
                if self.sites.get(usize::from(h.0))?.gateway.is_some() {
                    return None;
                }
            }
            (None, _) => {}
        }
        if let Some((public, private)) = public
            && seen.ip() == private
            && !near(private, to.ip())
        {
            seen.set_ip(public);
        }
        match target {
            Place::Host(h) => Some(Route { from: seen, to, host: h }),
            Place::Public(h, private) => {
                Some(Route { from: seen, to: SocketAddr::new(private, to.port()), host: h })
            }
            Place::Nat(at) => {
                let inside = self.nats.get_mut(at)?.inward(now, seen, to.port())?;
                let Place::Host(h) = *self.places.get(&inside.ip())? else { return None };
                Some(Route { from: seen, to: inside, host: h })
            }
        }
    }

    /// Who really is at an address, for the oracles.
    pub fn truth(&self, addr: SocketAddr) -> Option<HostId> {
        match *self.places.get(&addr.ip())? {
            Place::Host(h) | Place::Public(h, _) => Some(h),
            Place::Nat(at) => {
                let inside = self.nats.get(at)?.inside_of(addr.port())?;
                match self.places.get(&inside.ip())? {
                    Place::Host(h) => Some(*h),
                    _ => None,
                }
            }
        }
    }
}

/// The same /16: what a 1:1 NAT does not translate.
fn near(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets().first_chunk::<2>() == b.octets().first_chunk(),
        _ => false,
    }
}
