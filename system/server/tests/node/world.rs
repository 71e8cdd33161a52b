//! A tiny test world: one Node driven by its verbs, phones that speak SIP as text.
#![allow(dead_code)]
use bitspath_core::hash::TraceHasher;
use bitspath_core::{
    Bytes, Duration, Instant, ListenerId, NetIn, NetOut, Node as _, Now, UnixTime,
};
use bitspath_media::{Cmd as MediaCmd, Evt, PortNo, ShardId, Stats};
use bitspath_server::{Event, Input, Node, Output, Overrides, Start};
use bitspath_sip::Message;
use std::net::{IpAddr, SocketAddr};

pub const PBX: &str = "192.0.2.1";

/// Two tenants with the same numbers, side by side.
pub const TWO: &str = r#"
[listen]
udp = ["0.0.0.0:5060"]
tcp = ["0.0.0.0:5060"]
[media]
ports = "20000-20999"
[[tenant]]
name = "alpha"
domains = ["alpha.example"]
services = { 600 = "echo", 601 = "tone" }
[[tenant.extension]]
number = "1001"
password = "a-one"
[[tenant.extension]]
number = "1002"
password = "a-two"
[[tenant]]
name = "beta"
domains = ["beta.example"]
services = { 600 = "echo" }
[[tenant.extension]]
number = "1001"
password = "b-one"
[[tenant.extension]]
number = "1002"
password = "b-two"
"#;

/// One tenant that asks nobody for a password, as RFC 4475 is tested.
pub const OPEN: &str = r#"
[listen]
udp = ["0.0.0.0:5060"]
[[tenant]]
name = "open"
domains = ["example.com"]
authentication = false
services = { 600 = "echo" }
[[tenant.extension]]
number = "1001"
password = "x"
"#;

pub struct World {
    pub node: Node,
    pub now: Now,
    /// Over every output, in order.
    pub hash: TraceHasher,
    pub events: Vec<Event>,
    pub outputs: Vec<Output>,
    /// Freeze and thaw before inputs whose number this draws, if any.
    pub thaw: Option<u64>,
    steps: u64,
    pub stopped: bool,
}

impl World {
    pub fn new(config: &str) -> World {
        World::start(start_of(config))
    }

    pub fn start(start: Start) -> World {
        let second = 1_000_000_000;
        let mut world = World {
            node: Node::new(),
            now: Now { mono: Instant(5 * second), wall: UnixTime(1_795_426_867 * second) },
            hash: TraceHasher::default(),
            events: Vec::new(),
            outputs: Vec::new(),
            thaw: None,
            steps: 0,
            stopped: false,
        };
        world.input(Input::Start(Box::new(start)));
        let ports = (0..32).map(|n| PortNo(20_000 + 2 * n)).collect();
        world.input(Input::Media(ShardId(0), Evt::Warm { ports }));
        world
    }

    /// One input: due timers first, then the input, then every output. Media is answered at once.
    pub fn input(&mut self, input: Input) {
        self.fire();
        self.maybe_thaw();
        self.node.handle(self.now, input);
        self.drain();
    }

    pub fn advance(&mut self, by: Duration) {
        let end = self.now.mono + by;
        loop {
            let next = self.node.poll_timeout().map(|(due, _)| due).filter(|due| *due <= end);
            let to = next.unwrap_or(end).max(self.now.mono);
            let step = to.since(self.now.mono);
            self.now = Now { mono: to, wall: self.now.wall + step };
            if next.is_none() {
                return;
            }
            self.fire();
        }
    }

    fn fire(&mut self) {
        for _ in 0..10_000 {
            match self.node.poll_timeout() {
                Some((due, _)) if due <= self.now.mono => {
                    self.maybe_thaw();
                    self.node.handle_timeout(self.now);
                    self.drain();
                }
                _ => return,
            }
        }
        panic!("a deadline that never passes: {:?}", self.node.poll_timeout());
    }

    fn maybe_thaw(&mut self) {
        self.steps += 1;
        let Some(seed) = self.thaw else { return };
        let draw = (seed ^ self.steps).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60;
        if draw < 6 {
            let frozen = self.node.freeze();
            self.node = Node::thaw(&frozen).expect("own state");
            assert_eq!(self.node.freeze(), frozen);
        }
    }

    fn drain(&mut self) {
        let mut closed = Vec::new();
        while let Some(output) = self.node.poll_output() {
            self.hash.fold(&output);
            match &output {
                Output::Event(_, event) => self.events.push(event.clone()),
                Output::Media(shard, MediaCmd::Close { stream }) => closed.push((*shard, *stream)),
                Output::Stopped => self.stopped = true,
                _ => {}
            }
            self.outputs.push(output);
        }
        for (shard, stream) in closed {
            let stats = Stats::default();
            self.node.handle(self.now, Input::Media(shard, Evt::Closed { stream, stats }));
            self.drain();
        }
    }

    /// A datagram from `from`; gives what went back to it, as messages.
    pub fn send(&mut self, from: SocketAddr, text: &str) -> Vec<Message> {
        self.datagram(from, Bytes::copy_from_slice(text.as_bytes()));
        self.received(from)
    }

    pub fn datagram(&mut self, peer: SocketAddr, bytes: Bytes) {
        let local = SocketAddr::new(ip(PBX), 5060);
        let listener = ListenerId(0);
        self.input(Input::Net(NetIn::Datagram { listener, peer, local, bytes }));
    }

    /// Takes what was sent to `to` since the last look.
    pub fn received(&mut self, to: SocketAddr) -> Vec<Message> {
        self.raw(to).into_iter().filter_map(|b| Message::parse(b).ok()).collect()
    }

    pub fn raw(&mut self, to: SocketAddr) -> Vec<Bytes> {
        let mut taken = Vec::new();
        self.outputs.retain(|output| match output {
            Output::Net(NetOut::Datagram { peer, bytes, .. }) if *peer == to => {
                taken.push(bytes.clone());
                false
            }
            _ => true,
        });
        taken
    }

    /// The store answers everything that it was asked.
    pub fn store(&mut self) {
        let asked: Vec<_> = self
            .outputs
            .iter()
            .filter_map(|o| match o {
                Output::Store(request) => Some(request.op),
                _ => None,
            })
            .collect();
        self.outputs.retain(|o| !matches!(o, Output::Store(_)));
        for op in asked {
            self.input(Input::Stored(op, bitspath_core::store::Outcome::Done));
        }
    }

    /// Nothing is alive any more.
    pub fn at_rest(&mut self) {
        self.at_rest_but(&[]);
    }

    pub fn at_rest_but(&mut self, allowed: &[&str]) {
        self.store();
        let audit = self.node.audit();
        let alive: Vec<_> = audit.alive(allowed).collect();
        assert!(alive.is_empty(), "{alive:?}");
    }

    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let page = self.node.query(self.now, &bitspath_server::Query::Metrics, usize::MAX);
        page.rows
            .iter()
            .filter_map(|row| match row {
                bitspath_server::query::Row::Metric(m) => Some(m),
                _ => None,
            })
            .filter(|m| m.name == format!("bitspath_{name}"))
            .filter(|m| label.is_empty() || m.labels.iter().any(|(_, v)| v == label))
            .map(|m| m.value)
            .sum()
    }
}

/// A first start with this configuration.
pub fn start_of(config: &str) -> Start {
    Start {
        config: Bytes::copy_from_slice(config.as_bytes()),
        key: [7; 32],
        nonce_key: [9; 32],
        node: 0x2a,
        bindings: Vec::new(),
        open_cdrs: Vec::new(),
        local_addrs: vec![ip("127.0.0.1"), ip(PBX)],
        overrides: Overrides::default(),
        guest: None,
        build_id: 1,
    }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address with a port")
}

/// The status of the last of these messages; 0 when there is none.
pub fn status(messages: &[Message]) -> u16 {
    messages.last().and_then(Message::status).map_or(0, |s| s.0)
}
