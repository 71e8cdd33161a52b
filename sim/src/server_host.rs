//! The product in the World: `server::Node`, one media shard, the memory store and the door, put
//! together as the shell puts them together. Between Node and shard, and between Node and store,
//! things take a drawn while: "RTP before Open" and "BYE before Latched" are searched.
//!
//!   packet ─▶ door ─▶ Node ──Cmd (late)──▶ Shard ──Evt (late)──▶ Node
//!        └──▶ RTP ─▶ Shard::relay ─▶ packet       Node ──Write──▶ store ──Outcome (late)──▶ Node
use crate::host::{Host, StreamId};
use crate::kernel::Cx;
use crate::mix::{Draw, mix, within};
use crate::plant::Plant;
use crate::stream::StreamIn;
use bitspath_core::net::StreamKind;
use bitspath_core::store::{BindingRow, CdrCause, CdrId, CdrRow, OpId, Outcome, Request, Write};
use bitspath_core::{
    Audit, Bytes, ConnId, Duration, Entropy, Instant, ListenerId, NetIn, NetOut, Node as _,
    Purpose, freeze,
};
use bitspath_media::{Cmd as MediaCmd, Evt, PortNo, Shard, ShardId, Slot, Verdict};
use bitspath_server::{Event, Input, Node, Output, Overrides, Start};
use bitspath_sip::door::{self, Door};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub const SIP_PORT: u16 = 5060;
const UDP: ListenerId = ListenerId(0);
const TCP: ListenerId = ListenerId(1);
/// Channels of [`Host::later`].
const TO_SHARD: u64 = 1;
const TO_NODE: u64 = 2;
const STORED: u64 = 3;
const GO: u64 = 4;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub bindings: BTreeMap<(String, String, String), BindingRow>,
    pub cdrs: BTreeMap<CdrId, CdrRow>,
}

impl Disk {
    fn write(&mut self, write: Write) {
        match write {
            Write::PutBinding(row) => {
                let key = (row.tenant.clone(), row.user.clone(), row.contact.clone());
                self.bindings.insert(key, row);
            }
            Write::DeleteBinding { tenant, user, contact } => {
                self.bindings.remove(&(tenant, user, contact));
            }
            Write::PutCdr(row) => {
                self.cdrs.insert(row.id, row);
            }
        }
    }
}

struct Conn {
    stream: StreamId,
    credit: u32,
    waiting: VecDeque<Bytes>,
}

pub struct ServerHost {
    config: Bytes,
    addresses: Vec<IpAddr>,
    node: Node,
    shard: Shard,
    /// The Node's deadline, read once after each of its inputs.
    node_due: Option<Instant>,
    /// Lent out while a packet is decided upon; never allocated twice.
    slot: Option<Box<Slot>>,
    pub disk: Disk,
    conns: BTreeMap<ConnId, Conn>,
    streams: BTreeMap<StreamId, ConnId>,
    next_conn: u64,
    to_shard: VecDeque<MediaCmd>,
    to_node: VecDeque<Evt>,
    storing: VecDeque<Request>,
    /// Streams open at the shard: their port and the address of ours that the peer uses.
    open: BTreeMap<u64, (PortNo, IpAddr)>,
    ports: BTreeMap<PortNo, IpAddr>,
    pub events: Vec<Event>,
    /// Times that this host was started.
    life: u64,
    /// A bug put in on purpose, which an oracle must catch.
    pub plant: Option<Plant>,
    pub dropped_at_door: u64,
}

impl ServerHost {
    pub fn new(config: &Bytes, addresses: Vec<IpAddr>) -> ServerHost {
        ServerHost {
            config: config.clone(),
            addresses,
            node: Node::new(),
            shard: Shard::new(Entropy::new([0; 32])),
            node_due: None,
            slot: None,
            disk: Disk::default(),
            conns: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_conn: 0,
            to_shard: VecDeque::new(),
            to_node: VecDeque::new(),
            storing: VecDeque::new(),
            open: BTreeMap::new(),
            ports: BTreeMap::new(),
            events: Vec::new(),
            life: 0,
            plant: None,
            dropped_at_door: 0,
        }
    }

    /// Powers the machine on: what the disk kept comes back.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.life += 1;
        let seed = cx.seed();
        let key = |n| {
            let words: Vec<u8> =
                (0..4).flat_map(|w| mix(seed, n, w, Draw::Key).to_be_bytes()).collect();
            words.first_chunk::<32>().copied().unwrap_or([0; 32])
        };
        let entropy = Entropy::new(key(self.life));
        let media_key = entropy.block(Purpose::TableKey, 1, 0);
        self.node = Node::new();
        self.shard = Shard::new(Entropy::new(media_key));
        self.shard.own_addresses(self.addresses.iter().copied());
        let open = self.disk.cdrs.values().filter(|c| c.cause == CdrCause::Open);
        let start = Start {
            config: self.config.clone(),
            key: key(self.life),
            nonce_key: key(0),
            node: 1,
            bindings: self.disk.bindings.values().cloned().collect(),
            open_cdrs: open.cloned().collect(),
            local_addrs: self.addresses.clone(),
            overrides: Overrides::default(),
            guest: None,
            build_id: 0,
        };
        self.handle(cx, Input::Start(Box::new(start)));
        let ports = (0..32).map(|n| PortNo(10_000 + 2 * n)).collect();
        self.handle(cx, Input::Media(ShardId(0), Evt::Warm { ports }));
    }

    /// The power fails: memory is gone, and what was on its way to the disk with it.
    pub fn lose_memory(&mut self) {
        self.node = Node::new();
        self.node_due = None;
        self.shard = Shard::new(Entropy::new([0; 32]));
        self.conns.clear();
        self.streams.clear();
        self.to_shard.clear();
        self.to_node.clear();
        self.storing.clear();
        self.open.clear();
        self.ports.clear();
    }

    pub fn config(&mut self, cx: &mut Cx<'_>, generation: u64, text: Bytes) {
        self.config = text.clone();
        self.handle(cx, Input::Config(generation, text));
    }

    pub fn shutdown(&mut self, cx: &mut Cx<'_>, now_end_calls: bool) {
        self.handle(cx, Input::Shutdown { now_end_calls });
    }

    /// What is alive in Node and shard, together.
    pub fn audit(&self) -> Audit {
        let mut audit = self.node.audit();
        self.shard.audit(&mut audit);
        if self.plant == Some(Plant::Leak) {
            audit.set("calls", 1);
        }
        audit
    }

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        self.node.handle(cx.now(), input);
        self.drain(cx);
    }

    /// The law of the verbs: after a mutation, every output.
    fn drain(&mut self, cx: &mut Cx<'_>) {
        while let Some(output) = self.node.poll_output() {
            cx.fold(&output);
            match output {
                Output::Net(out) => self.net(cx, out),
                Output::Media(_, cmd) => {
                    let n = cx.kernel.events;
                    let wait = within(mix(cx.seed(), n, 1, Draw::MediaDelay), 1_000, 3_000_000);
                    self.to_shard.push_back(cmd);
                    cx.later(Duration::from_nanos(wait), TO_SHARD);
                }
                Output::Store(request) => self.store(cx, request),
                Output::Event(_, event) => self.event(cx, event),
                Output::AdminReply(..) | Output::Stopped => {}
            }
        }
        self.node_due = self.node.poll_timeout().map(|(at, _)| at);
    }

    fn event(&mut self, cx: &mut Cx<'_>, event: Event) {
        let now = cx.now().mono;
        match &event {
            Event::Bug { what, .. } => cx.kernel.oracles.broke(now, "no bug", what.clone()),
            Event::StartRefused { errors } | Event::ConfigRefused { errors, .. } => {
                let what = errors.join("; ");
                cx.kernel.oracles.broke(now, "the configuration is good", what);
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn store(&mut self, cx: &mut Cx<'_>, mut request: Request) {
        if let (Some(plant), Write::PutCdr(row)) = (self.plant, &mut request.write) {
            plant.record(row);
        }
        if let Write::PutCdr(row) = &request.write {
            let now = cx.now().mono;
            if self.plant != Some(Plant::NoRecord) {
                cx.kernel.oracles.cdr(now, row);
            }
            if self.plant == Some(Plant::RecordTwice) && row.cause != CdrCause::Open {
                let twin = CdrRow { id: CdrId(row.id.0 ^ 1), ..row.clone() };
                cx.kernel.oracles.cdr(now, &twin);
            }
        }
        let n = cx.kernel.events;
        let wait = within(mix(cx.seed(), n, 2, Draw::StoreDelay), 10_000, 8_000_000);
        self.storing.push_back(request);
        cx.later(Duration::from_nanos(wait), STORED);
    }

    fn net(&mut self, cx: &mut Cx<'_>, out: NetOut) {
        match out {
            NetOut::Datagram { local, peer, bytes, .. } => {
                let ip = if local.is_unspecified() { self.route_to(peer) } else { local };
                let bytes = match self.plant {
                    Some(plant) => plant.datagram(bytes),
                    None => Some(bytes),
                };
                let Some(bytes) = bytes else { return };
                cx.send(SocketAddr::new(ip, SIP_PORT), peer, bytes.clone());
                if let Some(second) = self.plant.and_then(|p| p.afterwards(&bytes)) {
                    cx.send(SocketAddr::new(ip, SIP_PORT), peer, second);
                }
            }
            NetOut::Connect { conn, peer, .. } => {
                let stream = cx.connect(SocketAddr::new(self.route_to(peer), 40_000), peer);
                self.streams.insert(stream, conn);
                let waiting = VecDeque::new();
                self.conns.insert(conn, Conn { stream, credit: 0, waiting });
            }
            NetOut::Write { conn, bytes } => {
                if let Some(c) = self.conns.get(&conn) {
                    cx.write(c.stream, bytes);
                }
            }
            NetOut::Grant { conn, bytes } => {
                if let Some(c) = self.conns.get_mut(&conn) {
                    c.credit += bytes;
                    // Not from inside the drain: the Node is not entered twice.
                    if !c.waiting.is_empty() {
                        cx.later(Duration::ZERO, GO);
                    }
                }
            }
            NetOut::Close { conn, reason } => {
                if let Some(c) = self.conns.get(&conn) {
                    cx.close(c.stream, reason);
                }
            }
        }
    }

    /// The address of ours on the way to a peer: the one with the longest common prefix.
    fn route_to(&self, peer: SocketAddr) -> IpAddr {
        let common = |ip: &IpAddr| match (ip, peer.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => 0,
        };
        self.addresses
            .iter()
            .copied()
            .reduce(|a, b| if common(&b) > common(&a) { b } else { a })
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Hands over what a connection's credit allows.
    fn deliver(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        loop {
            let Some(c) = self.conns.get_mut(&conn) else { return };
            let Some(mut bytes) = c.waiting.pop_front() else { return };
            if c.credit == 0 {
                c.waiting.push_front(bytes);
                return;
            }
            if bytes.len() > c.credit as usize {
                let rest = bytes.split_off(c.credit as usize);
                c.waiting.push_front(rest);
            }
            c.credit -= bytes.len() as u32;
            self.handle(cx, Input::Net(NetIn::Data { conn, bytes }));
        }
    }

    fn command(&mut self, cx: &mut Cx<'_>, cmd: MediaCmd) {
        let now = cx.now();
        match &cmd {
            MediaCmd::Open { stream, port, cfg } => {
                self.open.insert(stream.0, (*port, cfg.local));
                self.ports.insert(*port, cfg.local);
                cx.kernel.oracles.port(now.mono, port.0, true);
                if self.plant == Some(Plant::PortTwice) {
                    cx.kernel.oracles.port(now.mono, port.0, true);
                }
            }
            MediaCmd::Close { stream } => {
                if let Some((port, _)) = self.open.remove(&stream.0) {
                    self.ports.remove(&port);
                    cx.kernel.oracles.port(now.mono, port.0, false);
                }
            }
            _ => {}
        }
        self.shard.handle(now, cmd);
        self.drain_shard(cx);
    }

    fn drain_shard(&mut self, cx: &mut Cx<'_>) {
        while let Some(evt) = self.shard.poll_event() {
            let n = cx.kernel.events;
            let wait = within(mix(cx.seed(), n, 3, Draw::MediaDelay), 1_000, 3_000_000);
            self.to_node.push_back(evt);
            cx.later(Duration::from_nanos(wait), TO_NODE);
        }
        while self.shard.poll_bind().is_some() {}
        let mut slot = self.slot.take().unwrap_or_default();
        while self.shard.poll_packet(&mut slot) {
            self.forward(cx, &slot);
        }
        self.slot = Some(slot);
    }

    fn rtp(&mut self, cx: &mut Cx<'_>, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let port = PortNo(to.port() & !1);
        let mut slot = self.slot.take().unwrap_or_default();
        slot.fill(port, to.port() & 1 == 1, from, bytes);
        self.shard.relay(cx.now(), std::slice::from_mut(slot.as_mut()));
        self.forward(cx, &slot);
        self.slot = Some(slot);
        self.drain_shard(cx);
    }

    fn forward(&mut self, cx: &mut Cx<'_>, slot: &Slot) {
        let Verdict::Forward { port, rtcp } = slot.verdict else { return };
        let Some(local) = self.ports.get(&port).copied() else { return };
        let ip = if self.addresses.contains(&local) { local } else { self.route_to(slot.peer) };
        let mut peer = slot.peer;
        let mut packet = Bytes::copy_from_slice(slot.packet());
        if let Some(plant) = self.plant {
            plant.media(&mut peer, &mut packet);
        }
        cx.send(SocketAddr::new(ip, port.udp(rtcp)), peer, packet);
    }
}

impl Host for ServerHost {
    fn packet(&mut self, cx: &mut Cx<'_>, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        if to.port() != SIP_PORT {
            return self.rtp(cx, from, to, &bytes);
        }
        match door::classify(&bytes, from) {
            Door::Ping(answer) => {
                if !answer.is_empty() {
                    cx.send(to, from, Bytes::from_static(answer));
                }
            }
            Door::Stun(reply) => cx.send(to, from, Bytes::copy_from_slice(reply.as_bytes())),
            Door::Drop(_) => self.dropped_at_door += 1,
            Door::Sip(_) => {
                let input = NetIn::Datagram { listener: UDP, peer: from, local: to, bytes };
                self.handle(cx, Input::Net(input));
            }
        }
    }

    fn stream(&mut self, cx: &mut Cx<'_>, stream: StreamId, input: StreamIn) {
        let known = self.streams.get(&stream).copied();
        match (input, known) {
            (StreamIn::Opened { peer, local, accepted }, known) => {
                let conn = known.unwrap_or_else(|| {
                    self.next_conn += 2;
                    ConnId(self.next_conn)
                });
                if accepted {
                    self.streams.insert(stream, conn);
                    let waiting = VecDeque::new();
                    self.conns.insert(conn, Conn { stream, credit: 0, waiting });
                }
                let kind = StreamKind::Tcp;
                let input = NetIn::Opened { conn, listener: TCP, peer, local, kind };
                self.handle(cx, Input::Net(input));
            }
            (StreamIn::Data(bytes), Some(conn)) => {
                if let Some(c) = self.conns.get_mut(&conn) {
                    c.waiting.push_back(bytes);
                }
                self.deliver(cx, conn);
            }
            (StreamIn::Written(bytes_done), Some(conn)) => {
                self.handle(cx, Input::Net(NetIn::Writable { conn, bytes_done }));
            }
            (StreamIn::Closed(reason), Some(conn)) => {
                self.streams.remove(&stream);
                self.conns.remove(&conn);
                self.handle(cx, Input::Net(NetIn::Closed { conn, reason }));
            }
            (_, None) => {}
        }
    }

    fn later(&mut self, cx: &mut Cx<'_>, token: u64) {
        match token {
            TO_SHARD => {
                if let Some(cmd) = self.to_shard.pop_front() {
                    self.command(cx, cmd);
                }
            }
            TO_NODE => {
                if let Some(evt) = self.to_node.pop_front() {
                    self.handle(cx, Input::Media(ShardId(0), evt));
                }
            }
            STORED => {
                if let Some(request) = self.storing.pop_front() {
                    let op: OpId = request.op;
                    self.disk.write(request.write);
                    self.handle(cx, Input::Stored(op, Outcome::Done));
                }
            }
            _ => {
                let conns: Vec<ConnId> = self.conns.keys().copied().collect();
                conns.into_iter().for_each(|conn| self.deliver(cx, conn));
            }
        }
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        if self.node_due.is_some_and(|at| at <= now.mono) {
            self.node.handle_timeout(now);
            self.drain(cx);
        }
        if self.shard.poll_timeout().is_some_and(|(at, _)| at <= now.mono) {
            self.shard.handle_timeout(now);
            self.drain_shard(cx);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let shard = self.shard.poll_timeout().map(|(at, _)| at);
        self.node_due.into_iter().chain(shard).min()
    }

    fn freeze_thaw(&mut self) {
        match (Node::thaw(&self.node.freeze()), freeze::thaw(&freeze::freeze(&self.shard).0)) {
            (Ok(node), Ok(shard)) => (self.node, self.shard) = (node, shard),
            (Err(fault), _) | (_, Err(fault)) => panic!("a frozen Node does not thaw: {fault}"),
        }
    }
}
