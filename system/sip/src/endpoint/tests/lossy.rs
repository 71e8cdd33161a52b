//! Two endpoints and a bad network. Whatever it loses, doubles, delays or cuts: both tables end
//! empty, every request ends exactly once, and freezing at any step changes nothing.
use super::*;
use crate::dialog::accepted::{Accepted, Due};
use alloc::collections::BTreeMap;
use bitspath_core::freeze::{freeze, thaw};
use bitspath_core::hash::TraceHasher;
use bitspath_core::net::{CloseReason, StreamKind};
use bitspath_core::{ConnId, Duration};

const ASKED: u32 = 8;
const SIDES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.77:5060"];

/// Fault decisions only.
fn mix(seed: u64, n: u64, purpose: u64) -> u64 {
    let mut x =
        seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for _ in 0..2 {
        x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^= x >> 29;
    }
    x
}

#[derive(Clone, Debug)]
enum Todo {
    Ask(u32),
    Respond(TxnId, u16),
    Cancel(TxnId),
}

/// How one request of ours went.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    oks: u32,
    failures: u32,
    failed: u32,
    ended: u32,
}

struct Side {
    ep: Endpoint,
    outcomes: BTreeMap<u32, Outcome>,
    todo: BTreeMap<(Instant, u64), Todo>,
    accepted: BTreeMap<(String, u32), (TxnId, Accepted)>,
    acks: BTreeMap<u32, (Flow, Bytes)>,
    finals_after_end: u32,
}

struct World {
    seed: u64,
    transport: Transport,
    freezes: bool,
    now: Now,
    n: u64,
    sides: [Side; 2],
    wire: BTreeMap<(Instant, u64), (usize, NetIn)>,
    /// Connection ids at each side, while it stands.
    conns: Vec<[ConnId; 2]>,
    trace: TraceHasher,
}

impl World {
    fn new(seed: u64, freezes: bool) -> World {
        let side = |key: u8| Side {
            ep: Endpoint::new(Entropy::new([key; 32]), key, Timers::default()),
            outcomes: BTreeMap::new(),
            todo: BTreeMap::new(),
            accepted: BTreeMap::new(),
            acks: BTreeMap::new(),
            finals_after_end: 0,
        };
        let transport = if seed.is_multiple_of(3) { Transport::Tcp } else { Transport::Udp };
        let mut world = World {
            seed,
            transport,
            freezes,
            now: at_ms(0),
            n: 0,
            sides: [side(1), side(2)],
            wire: BTreeMap::new(),
            conns: Vec::new(),
            trace: TraceHasher::default(),
        };
        for req in 0..ASKED {
            for at in 0..2 {
                let due = at_ms(world.draw(10, 5_000)).mono;
                world.todo(at, due, Todo::Ask(req));
            }
        }
        world
    }

    fn draw(&mut self, purpose: u64, below: u64) -> u64 {
        self.n += 1;
        mix(self.seed, self.n, purpose) % below
    }

    fn in_ms(&mut self, purpose: u64, below: u64) -> Instant {
        self.now.mono + Duration::from_millis(self.draw(purpose, below))
    }

    fn todo(&mut self, at: usize, due: Instant, todo: Todo) {
        self.n += 1;
        self.sides[at].todo.insert((due, self.n), todo);
    }

    fn run(mut self) -> World {
        while self.step() {
            assert!(self.n < 1_000_000, "seed {} does not end", self.seed);
        }
        self
    }

    /// Timers before users before messages of the same moment.
    fn step(&mut self) -> bool {
        let mut next: Vec<(Instant, u8, usize)> = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            next.extend(side.ep.poll_timeout().map(|(due, _)| (due, 0, at)));
            next.extend(side.todo.keys().next().map(|(due, _)| (*due, 1, at)));
            let accepted = side.accepted.values().filter_map(|(_, a)| a.poll_timeout());
            next.extend(accepted.map(|(due, _)| (due, 2, at)).min());
        }
        next.extend(self.wire.iter().next().map(|((due, _), (at, _))| (*due, 3, *at)));
        let Some((due, kind, at)) = next.into_iter().min() else { return false };
        self.now.mono = due.max(self.now.mono);
        match kind {
            0 => self.sides[at].ep.handle_timeout(self.now),
            1 => self.act(at),
            2 => self.repeat(at),
            _ => {
                let (_, (_, input)) = self.wire.pop_first().expect("just seen");
                self.sides[at].ep.handle(self.now, input);
            }
        }
        self.drain(at);
        if self.freezes && mix(self.seed, self.n, 99).is_multiple_of(3) {
            let frozen = freeze(&self.sides[at].ep);
            self.sides[at].ep = thaw(&frozen.0).expect("thaws");
        }
        true
    }

    fn act(&mut self, at: usize) {
        let now = self.now;
        let Some((_, todo)) = self.sides[at].todo.pop_first() else { return };
        match todo {
            Todo::Ask(req) => self.ask(at, req),
            Todo::Respond(txn, status) => {
                let ep = &mut self.sides[at].ep;
                let Some(request) = ep.request_of(txn) else { return };
                let of = (request.call_id().to_string(), request.cseq());
                let invite = request.method() == Method::Invite;
                ep.respond(now, txn, OutResponse::new(Status(status)));
                if invite && (200..300).contains(&status) {
                    let accepted = Accepted::new(now.mono, &Timers::default());
                    self.sides[at].accepted.insert(of, (txn, accepted));
                }
            }
            Todo::Cancel(txn) => self.sides[at].ep.cancel(now, txn, None),
        }
    }

    fn ask(&mut self, at: usize, req: u32) {
        let methods = [Method::Invite, Method::Invite, Method::Options, Method::Bye];
        let method = methods[self.draw(1, 4) as usize];
        let mut r = out_request(method);
        r.call_id = format!("{at}-{req}");
        r.from = format!("<sip:x@y>;tag={at}");
        let flow = Flow {
            transport: self.transport,
            local: addr(SIDES[at]).ip(),
            peer: addr(SIDES[1 - at]),
            ..udp_flow()
        };
        let owner = Owner { call: 0, leg: 0, req };
        let ep = &mut self.sides[at].ep;
        let txn = ep.request(self.now, owner, flow, SIDES[at], r).expect("room");
        self.sides[at].outcomes.insert(req, Outcome::default());
        if method == Method::Invite && self.draw(2, 3) == 0 {
            let due = self.in_ms(3, 4_000);
            self.todo(at, due, Todo::Cancel(txn));
        }
    }

    fn repeat(&mut self, at: usize) {
        let side = &mut self.sides[at];
        for (txn, accepted) in side.accepted.values_mut() {
            if accepted.handle_timeout(self.now.mono) == Some(Due::Again) {
                side.ep.retransmit(self.now, *txn);
            }
        }
        side.accepted.retain(|_, (_, accepted)| accepted.is_waiting());
    }

    fn drain(&mut self, at: usize) {
        while let Some(event) = self.sides[at].ep.poll_event() {
            self.on(at, event);
        }
        while let Some(out) = self.sides[at].ep.poll_output() {
            self.trace.fold(&(self.now, at, &out));
            self.carry(at, out);
        }
    }

    fn on(&mut self, at: usize, event: Event) {
        let now = self.now;
        match event {
            Event::Request { txn, msg, .. } => self.requested(at, txn, msg.method()),
            Event::Ack { msg, .. } => {
                let of = (msg.call_id().to_string(), msg.cseq());
                if let Some((_, accepted)) = self.sides[at].accepted.get_mut(&of) {
                    accepted.acknowledge();
                }
            }
            Event::Cancelled { txn, .. } => {
                self.sides[at].ep.respond(now, txn, OutResponse::new(Status(487)));
            }
            Event::Response { owner, flow, msg, .. } => {
                let status = msg.status().expect("a response");
                let side = &mut self.sides[at];
                let outcome = side.outcomes.get_mut(&owner.req).expect("asked");
                side.finals_after_end += outcome.ended;
                match (status.class(), msg.method()) {
                    (1, _) => {}
                    (2, Method::Invite) => {
                        outcome.oks += 1;
                        self.acknowledge(at, owner.req, flow, &msg);
                    }
                    (2, _) => outcome.oks += 1,
                    _ => outcome.failures += 1,
                }
            }
            Event::Failed { owner, .. } => {
                self.sides[at].outcomes.get_mut(&owner.req).expect("asked").failed += 1;
            }
            Event::Ended { owner, .. } => {
                self.sides[at].outcomes.get_mut(&owner.req).expect("asked").ended += 1;
            }
            Event::Opened { .. } | Event::Closed { .. } => {}
        }
    }

    fn acknowledge(&mut self, at: usize, req: u32, flow: Flow, ok: &Message) {
        let side = &mut self.sides[at];
        match side.acks.get(&req) {
            Some((flow, bytes)) => side.ep.resend(self.now, *flow, bytes.clone()),
            None => {
                let mut r = out_request(Method::Ack);
                r.call_id = ok.call_id().to_string();
                let bytes = side.ep.send_ack(self.now, flow, SIDES[at], r);
                side.acks.insert(req, (flow, bytes));
            }
        }
    }

    fn requested(&mut self, at: usize, txn: TxnId, method: Method) {
        if method == Method::Invite {
            self.sides[at].ep.trying(self.now, txn);
            if self.draw(20, 2) == 0 {
                let due = self.in_ms(21, 1_000);
                self.todo(at, due, Todo::Respond(txn, 180));
            }
        }
        let status = [200, 200, 404, 486][self.draw(22, 4) as usize];
        // Some answers come so late that a non-INVITE is over.
        let slow = if self.draw(23, 8) == 0 { 40_000 } else { 5_000 };
        let due = self.in_ms(24, slow);
        self.todo(at, due, Todo::Respond(txn, status));
    }

    fn carry(&mut self, at: usize, out: NetOut) {
        let other = 1 - at;
        let (listener, peer, local) = (ListenerId(0), addr(SIDES[at]), addr(SIDES[other]));
        match out {
            NetOut::Datagram { bytes, .. } => {
                let copies = match (self.draw(30, 100), self.draw(31, 100)) {
                    (0..25, _) => 0,
                    (_, 0..10) => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let due = self.in_ms(32, 600);
                    let bytes = bytes.clone();
                    self.deliver(due, other, NetIn::Datagram { listener, peer, local, bytes });
                }
            }
            NetOut::Connect { conn, .. } => {
                if self.draw(33, 10) == 0 {
                    let reason = CloseReason::Refused;
                    return self.deliver(self.soon(), at, NetIn::Closed { conn, reason });
                }
                self.n += 1;
                let mut pair = [ConnId(2 * self.n); 2];
                pair[at] = conn;
                self.conns.push(pair);
                for side in 0..2 {
                    let (conn, peer, local) =
                        (pair[side], addr(SIDES[1 - side]), addr(SIDES[side]));
                    let kind = StreamKind::Tcp;
                    let opened = NetIn::Opened { conn, listener, peer, local, kind };
                    self.deliver(self.soon(), side, opened);
                }
            }
            NetOut::Write { conn, bytes } => {
                let Some(pair) = self.conns.iter().find(|p| p[at] == conn).copied() else { return };
                let bytes_done = bytes.len() as u32;
                self.deliver(self.soon(), at, NetIn::Writable { conn, bytes_done });
                let cut = bytes.len() / 3;
                for bytes in [bytes.slice(..cut), bytes.slice(cut..)] {
                    self.deliver(self.soon(), other, NetIn::Data { conn: pair[other], bytes });
                }
                if self.draw(34, 12) == 0 {
                    self.cut(pair);
                }
            }
            NetOut::Close { conn, .. } => {
                if let Some(pair) = self.conns.iter().find(|p| p[at] == conn).copied() {
                    self.cut(pair);
                }
            }
            NetOut::Grant { .. } => {}
        }
    }

    /// Always the same delay: a stream keeps its order.
    fn soon(&self) -> Instant {
        self.now.mono + Duration::from_millis(20)
    }

    fn cut(&mut self, pair: [ConnId; 2]) {
        self.conns.retain(|p| *p != pair);
        for (side, conn) in pair.into_iter().enumerate() {
            let reason = CloseReason::Reset;
            self.deliver(self.soon(), side, NetIn::Closed { conn, reason });
        }
    }

    fn deliver(&mut self, due: Instant, to: usize, input: NetIn) {
        self.n += 1;
        self.wire.insert((due, self.n), (to, input));
    }
}

#[test]
fn every_request_ends_exactly_once_and_nothing_is_left_behind() {
    let mut met = BTreeMap::new();
    for seed in 0..60 {
        let world = World::new(seed, false).run();
        for (at, side) in world.sides.iter().enumerate() {
            let mut audit = Audit::default();
            side.ep.audit(&mut audit);
            let alive: Vec<_> = audit.alive(&["connections"]).collect();
            assert!(alive.is_empty(), "seed {seed}, side {at}: {alive:?}");
            assert_eq!(side.ep.counters().second_finals, 0);
            assert_eq!((side.outcomes.len(), side.finals_after_end), (ASKED as usize, 0));
            for (req, o) in &side.outcomes {
                let finals = o.oks.min(1) + o.failures + o.failed;
                assert_eq!((finals, o.ended), (1, 1), "seed {seed}, side {at}, {req}: {o:?}");
            }
            for (name, _, count) in side.ep.counters().rows() {
                *met.entry(name).or_insert(0) += count;
            }
        }
    }
    // A network that harms nobody would prove nothing.
    for name in [
        "repeats_in",
        "repeats_out",
        "acks_absorbed",
        "acks_passed",
        "stray_responses",
        "timeouts",
        "transport_failures",
        "unacknowledged",
        "unanswered",
        "trying_sent",
        "unsendable",
        "conns_closed",
    ] {
        assert!(met.get(name).is_some_and(|n| *n > 0), "{name} never happened: {met:?}");
    }
}

#[test]
fn freezing_and_thawing_at_random_steps_changes_no_output() {
    for seed in 0..12 {
        let plain = World::new(seed, false).run();
        let frozen = World::new(seed, true).run();
        assert_eq!(plain.trace, frozen.trace, "seed {seed}");
        for (a, b) in plain.sides.iter().zip(&frozen.sides) {
            assert_eq!(freeze(&a.ep), freeze(&b.ep), "seed {seed}");
        }
    }
}
