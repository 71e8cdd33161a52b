//! The shard against its promises: who is heard, where packets go, what is counted.
use super::*;
use crate::command::Law;
use crate::g711::decode;
use crate::wire::{Head, Packet, RtpTime, Ssrc};
use alloc::string::ToString;
use bitspath_core::freeze::{freeze, thaw};
use core::net::SocketAddr;
use proptest::prelude::*;

const LOCAL: &str = "203.0.113.10";
const A: StreamId = StreamId(1);
const B: StreamId = StreamId(2);
const PORT_A: PortNo = PortNo(10_000);
const PORT_B: PortNo = PortNo(10_002);
const ALICE: &str = "198.51.100.5:4000";
const BOB: &str = "198.51.100.6:5000";

fn at(ms: u64) -> Now {
    Now { mono: Instant(ms * 1_000_000), ..Now::default() }
}
fn addr(s: &str) -> SocketAddr {
    s.parse().expect("address")
}
fn cfg(remote: &str, signalling: &str) -> StreamCfg {
    StreamCfg {
        local: LOCAL.parse().expect("address"),
        remote: Some(addr(remote)),
        rtcp: None,
        signalling: signalling.parse().expect("address"),
        send: true,
        receive: true,
    }
}
fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let time = RtpTime(u32::from(seq) * 160);
    let head = Head { marker: false, pt: 0, seq, time, ssrc: Ssrc(ssrc) };
    let mut room = [0x55; 172];
    head.emit(&mut room).expect("room");
    room.to_vec()
}
const RR: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

/// One packet through the relay: where it leaves from and to.
fn send(
    shard: &mut Shard,
    ms: u64,
    port: PortNo,
    rtcp: bool,
    from: &str,
    packet: &[u8],
) -> Option<(u16, SocketAddr)> {
    let mut batch = [Slot::default()];
    batch[0].fill(port, rtcp, addr(from), packet);
    shard.relay(at(ms), &mut batch);
    match batch[0].verdict {
        Verdict::Drop => None,
        Verdict::Forward { port, rtcp } => Some((port.udp(rtcp), batch[0].peer)),
    }
}
fn events(shard: &mut Shard) -> Vec<Evt> {
    core::iter::from_fn(|| shard.poll_event()).collect()
}
/// Runs the clock to `ms`; the packets that services send, with their times.
fn run(shard: &mut Shard, ms: u64) -> Vec<(u64, Slot)> {
    let mut out = Vec::new();
    while let Some((due, _)) = shard.poll_timeout().filter(|(due, _)| *due <= at(ms).mono) {
        shard.handle_timeout(Now { mono: due, ..Now::default() });
        let mut slot = Slot::default();
        while shard.poll_packet(&mut slot) {
            out.push((due.0 / 1_000_000, slot.clone()));
        }
    }
    out
}
fn open(shard: &mut Shard, stream: StreamId, port: PortNo, cfg: StreamCfg) {
    shard.handle(at(0), Cmd::Open { stream, port, cfg });
}
fn link(shard: &mut Shard, stream: StreamId, sink: Sink) {
    shard.handle(at(0), Cmd::Link { stream, sink });
}
fn call() -> Shard {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    open(&mut shard, A, PORT_A, cfg(ALICE, "198.51.100.5"));
    open(&mut shard, B, PORT_B, cfg(BOB, "198.51.100.6"));
    link(&mut shard, A, Sink::Stream(B));
    link(&mut shard, B, Sink::Stream(A));
    shard
}
fn close(shard: &mut Shard, stream: StreamId) -> Stats {
    shard.handle(at(0), Cmd::Close { stream });
    match events(shard).pop() {
        Some(Evt::Closed { stats, .. }) => stats,
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn both_phones_hear_each_other_from_the_first_packet() {
    let mut shard = call();
    assert_eq!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 0)), Some((10_002, addr(BOB))));
    assert_eq!(send(&mut shard, 1, PORT_B, false, BOB, &rtp(2, 0)), Some((10_000, addr(ALICE))));
    let latched = |stream, peer| Evt::Latched { stream, peer: addr(peer) };
    assert_eq!(events(&mut shard), [latched(A, ALICE), latched(B, BOB)]);
    let stats = close(&mut shard, A);
    assert_eq!((stats.packets_in, stats.octets_in, stats.packets_out), (1, 172, 1));
    assert_eq!(shard.poll_event(), None);
}

#[test]
fn a_phone_behind_nat_is_answered_where_it_really_is() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    open(&mut shard, A, PORT_A, cfg("192.168.1.5:4000", "198.51.100.5"));
    open(&mut shard, B, PORT_B, cfg(BOB, "198.51.100.6"));
    link(&mut shard, A, Sink::Stream(B));
    link(&mut shard, B, Sink::Stream(A));
    assert_eq!(send(&mut shard, 0, PORT_B, false, BOB, &rtp(2, 0)), None, "not routable");
    assert!(send(&mut shard, 1, PORT_A, false, "198.51.100.5:61000", &rtp(1, 0)).is_some());
    let there = Some((10_000, addr("198.51.100.5:61000")));
    assert_eq!(send(&mut shard, 2, PORT_B, false, BOB, &rtp(2, 1)), there);
}

#[test]
fn an_attacker_hears_nothing_and_is_not_heard() {
    let mut shard = call();
    let evil = "192.0.2.66:4000";
    for seq in 0..100 {
        assert_eq!(send(&mut shard, u64::from(seq) * 300, PORT_A, false, evil, &rtp(1, seq)), None);
        let mut rr = RR;
        rr[7] = seq as u8;
        assert_eq!(send(&mut shard, u64::from(seq) * 300, PORT_A, true, evil, &rr), None);
    }
    assert_eq!(
        send(&mut shard, 40_000, PORT_B, false, BOB, &rtp(2, 0)),
        Some((10_000, addr(ALICE)))
    );
    let stats = close(&mut shard, A);
    assert_eq!((stats.dropped_stranger, stats.packets_in, stats.rtcp_in), (200, 0, 0));
}

#[test]
fn sdp_and_packets_that_name_our_own_ports_are_refused() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    // Two echoes whose SDP names each other.
    open(&mut shard, A, PORT_A, cfg("203.0.113.10:10002", "203.0.113.10"));
    open(&mut shard, B, PORT_B, cfg("203.0.113.10:10000", "203.0.113.10"));
    link(&mut shard, A, Sink::Echo);
    link(&mut shard, B, Sink::Echo);
    assert_eq!(send(&mut shard, 0, PORT_A, false, "203.0.113.10:10002", &rtp(1, 0)), None);
    assert_eq!(run(&mut shard, 1000).len(), 0);
    assert_eq!(shard.stats(B).map(|s| s.refused_own), Some(1), "the address");
    assert_eq!(shard.stats(A).map(|s| s.refused_own), Some(1), "the packet");
    // A phone on the same host is no port of ours, though it may be beside one.
    let mut neighbour = shard.clone();
    assert_eq!(send(&mut neighbour, 0, PORT_A, false, "203.0.113.10:10003", &rtp(1, 0)), None);
    assert_eq!(run(&mut neighbour, 1000).len(), 1);
    assert_eq!(send(&mut shard, 0, PORT_A, false, "203.0.113.10:4000", &rtp(1, 0)), None);
    assert_eq!(run(&mut shard, 1000).len(), 1);
}

//= RFC 3264 §8.4 type=test
#[test]
fn hold_stops_media_in_its_direction_but_not_rtcp() {
    let mut shard = call();
    assert!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 0)).is_some());
    assert!(send(&mut shard, 0, PORT_B, false, BOB, &rtp(2, 0)).is_some());
    let held = StreamCfg { send: false, ..cfg(ALICE, "198.51.100.5") };
    shard.handle(at(0), Cmd::Modify { stream: A, cfg: held });
    assert_eq!(send(&mut shard, 20, PORT_B, false, BOB, &rtp(2, 1)), None);
    assert!(send(&mut shard, 20, PORT_A, false, ALICE, &rtp(1, 1)).is_some());
    let there = Some((10_001, addr("198.51.100.5:4001")));
    assert_eq!(send(&mut shard, 20, PORT_B, true, "198.51.100.6:5001", &RR), there);
    // The hold of RFC 2543 stops RTCP too, and resuming needs no new latch.
    let zero = cfg("0.0.0.0:4000", "198.51.100.5");
    shard.handle(at(0), Cmd::Modify { stream: A, cfg: zero });
    assert_eq!(send(&mut shard, 40, PORT_B, false, BOB, &rtp(2, 2)), None);
    assert_eq!(send(&mut shard, 40, PORT_B, true, "198.51.100.6:5001", &RR), None);
    shard.handle(at(0), Cmd::Modify { stream: A, cfg: cfg(ALICE, "198.51.100.5") });
    assert_eq!(send(&mut shard, 60, PORT_B, false, BOB, &rtp(2, 3)), Some((10_000, addr(ALICE))));
}

#[test]
fn commands_may_come_in_any_order_and_packets_before_all_of_them() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    assert_eq!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 0)), None);
    assert_eq!(shard.counters().unclaimed, 1);
    open(&mut shard, A, PORT_A, cfg(ALICE, "198.51.100.5"));
    link(&mut shard, A, Sink::Stream(B));
    assert_eq!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 1)), None);
    open(&mut shard, B, PORT_B, cfg(BOB, "198.51.100.6"));
    assert_eq!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 2)), Some((10_002, addr(BOB))));
    close(&mut shard, B);
    assert_eq!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 3)), None);
    assert_eq!(close(&mut shard, A).dropped_unsent, 2);
    assert_eq!(close(&mut shard, StreamId(77)), Stats::default());
    let mut audit = Audit::default();
    shard.audit(&mut audit);
    assert_eq!(audit.alive(&[]).count(), 0, "{audit:?}");
}

#[test]
fn what_cannot_be_opened_is_failed_with_a_reason() {
    let mut shard = call();
    let same = cfg(ALICE, "198.51.100.5");
    for (stream, port) in [(3, 10_000), (4, 10_005), (1, 10_010), (5, 0)] {
        open(&mut shard, StreamId(stream), PortNo(port), same);
        let [Evt::Failed { stream: failed, .. }] = &events(&mut shard)[..] else {
            panic!("no failure")
        };
        assert_eq!(*failed, Some(StreamId(stream)));
    }
}

#[test]
fn the_tone_reaches_a_routable_sdp_address_before_any_latch() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    let tone = Sink::Tone { pt: 8, law: Law::A, ptime_ms: 20 };
    open(&mut shard, A, PORT_A, cfg(ALICE, "198.51.100.5"));
    link(&mut shard, A, tone);
    open(&mut shard, B, PORT_B, cfg("192.168.1.5:4000", "198.51.100.6"));
    link(&mut shard, B, tone);
    let out = run(&mut shard, 999);
    assert_eq!(out.len(), 50, "50 packets a second, none to the private address");
    for (_, slot) in &out {
        assert_eq!(slot.verdict, Verdict::Forward { port: PORT_A, rtcp: false });
        assert_eq!(slot.peer, addr(ALICE));
        let packet = Packet::parse(slot.packet()).expect("RTP");
        assert!(packet.payload.iter().any(|c| decode(Law::A, *c) > 15_000));
    }
    send(&mut shard, 1000, PORT_B, false, "198.51.100.6:61000", &rtp(9, 0));
    let after = run(&mut shard, 1999);
    assert_eq!(after.iter().filter(|(_, s)| s.local == PORT_B).count(), 50);
}

#[test]
fn the_echo_comes_back_to_its_sender_paced() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    open(&mut shard, A, PORT_A, cfg(ALICE, "198.51.100.5"));
    link(&mut shard, A, Sink::Echo);
    let mut out = Vec::new();
    for seq in 0..50u16 {
        let ms = u64::from(seq) * 20 + u64::from(seq % 3) * 5;
        out.extend(run(&mut shard, ms));
        assert_eq!(send(&mut shard, ms, PORT_A, false, ALICE, &rtp(1, seq)), None);
    }
    out.extend(run(&mut shard, 2000));
    assert_eq!(out.len(), 50);
    assert!(out.windows(2).all(|p| p[1].0 - p[0].0 >= 15 && p[1].0 - p[0].0 <= 40));
    assert!(out.iter().all(|(_, s)| s.peer == addr(ALICE)));
    let stats = close(&mut shard, A);
    assert_eq!((stats.packets_out, stats.octets_out, stats.lost), (50, 50 * 172, 0));
}

#[test]
fn silence_is_said_once_and_again_only_after_a_voice() {
    let mut shard = call();
    run(&mut shard, 59_000);
    assert_eq!(events(&mut shard), []);
    run(&mut shard, 300_000);
    assert_eq!(events(&mut shard), [Evt::Silent { stream: A }, Evt::Silent { stream: B }]);
    send(&mut shard, 300_000, PORT_A, false, ALICE, &rtp(1, 0));
    events(&mut shard);
    run(&mut shard, 900_000);
    assert_eq!(events(&mut shard), [Evt::Silent { stream: A }]);
}

#[test]
fn rtcp_is_bound_when_its_first_packet_is_due_or_comes() {
    let mut shard = call();
    assert!(send(&mut shard, 0, PORT_A, false, ALICE, &rtp(1, 0)).is_some());
    run(&mut shard, 999);
    assert_eq!(shard.poll_bind(), None);
    run(&mut shard, 1000);
    let ip = LOCAL.parse().expect("address");
    assert_eq!(shard.poll_bind(), Some(Bind::Rtcp { ip, port: PORT_A }));
    let there = Some((10_003, addr("198.51.100.6:5001")));
    assert_eq!(send(&mut shard, 1100, PORT_A, true, "198.51.100.5:4001", &RR), there);
    assert_eq!(shard.poll_bind(), Some(Bind::Rtcp { ip, port: PORT_B }));
    assert_eq!(shard.poll_bind(), None);
}

#[test]
fn rtcp_follows_signalling_to_another_address_as_media_does() {
    let mut shard = call();
    let (old, new) = ("198.51.100.5:4001", "198.51.100.50:4001");
    let bob = "198.51.100.6:5001";
    assert!(send(&mut shard, 0, PORT_A, true, old, &RR).is_some());
    assert_eq!(send(&mut shard, 0, PORT_B, true, bob, &RR), Some((10_001, addr(old))));
    let cfg = cfg("198.51.100.50:4000", "198.51.100.50");
    shard.handle(at(0), Cmd::Modify { stream: A, cfg });
    assert_eq!(send(&mut shard, 5000, PORT_B, true, bob, &RR), Some((10_001, addr(new))));
    assert_eq!(send(&mut shard, 5000, PORT_A, true, old, &RR), None);
    assert!(send(&mut shard, 5000, PORT_A, true, new, &RR).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Cmd(Cmd),
    Packet { port: u16, rtcp: bool, from: usize, bytes: Vec<u8> },
    Wait(u64),
    Freeze,
}

const HOSTS: [&str; 7] = [
    "198.51.100.5:4000",
    "198.51.100.5:4001",
    "198.51.100.6:5000",
    "10.0.0.9:7000",
    "203.0.113.10:10002",
    "192.0.2.66:4000",
    "[2001:db8::7]:6000",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || (1u64..5).prop_map(StreamId);
    let config = (0..8usize, 0..7usize, any::<bool>(), any::<bool>()).prop_map(|(r, s, tx, rx)| {
        let remote = HOSTS.get(r).map(|h| addr(h));
        StreamCfg { remote, send: tx, receive: rx, ..cfg(ALICE, &addr(HOSTS[s]).ip().to_string()) }
    });
    let sink = prop_oneof![
        Just(Sink::None),
        Just(Sink::Echo),
        Just(Sink::Tone { pt: 0, law: Law::Mu, ptime_ms: 20 }),
        id().prop_map(Sink::Stream),
        id().prop_map(Sink::Stream),
    ];
    let cmd = prop_oneof![
        (id(), 0u16..5, config.clone()).prop_map(|(stream, n, cfg)| Cmd::Open {
            stream,
            port: PortNo(10_000 + 2 * n),
            cfg
        }),
        (id(), config).prop_map(|(stream, cfg)| Cmd::Modify { stream, cfg }),
        (id(), sink).prop_map(|(stream, sink)| Cmd::Link { stream, sink }),
        id().prop_map(|stream| Cmd::Close { stream }),
    ];
    let bytes = prop_oneof![
        4 => (0u32..2, 0u16..400).prop_map(|(ssrc, seq)| rtp(ssrc, seq)),
        1 => Just(RR.to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..80),
    ];
    let packet = (0u16..5, any::<bool>(), 0..7usize, bytes).prop_map(|(n, r, from, bytes)| {
        Step::Packet { port: 10_000 + 2 * n, rtcp: r && bytes.len() < 100, from, bytes }
    });
    let wait = prop_oneof![Just(20u64), Just(200), Just(70_000)].prop_map(Step::Wait);
    let step = prop_oneof![
        3 => cmd.prop_map(Step::Cmd), 10 => packet, 3 => wait, 1 => Just(Step::Freeze)
    ];
    proptest::collection::vec(step, 1..150)
}

/// Two calls that stand, so that random steps meet something to break.
fn prologue() -> Vec<Cmd> {
    let mut cmds = Vec::new();
    for (n, host) in [(1, 0), (2, 2), (3, 3), (4, 4)] {
        let (stream, port) = (StreamId(n), PortNo(10_000 + [0, 0, 4, 6, 8][n as usize]));
        let cfg = cfg(HOSTS[host], &addr(HOSTS[host]).ip().to_string());
        cmds.push(Cmd::Open { stream, port, cfg });
    }
    for (a, b) in [(1, 2), (2, 1), (3, 4), (4, 3)] {
        cmds.push(Cmd::Link { stream: StreamId(a), sink: Sink::Stream(StreamId(b)) });
    }
    cmds
}

/// What the commands so far allow: the oracle's own book, kept without looking into the shard.
#[derive(Default)]
struct Book {
    streams: BTreeMap<StreamId, (PortNo, Vec<IpAddr>, Sink)>,
}

impl Book {
    fn note(&mut self, cmd: &Cmd, failed: bool) {
        let ips = |cfg: &StreamCfg| {
            let mut ips = alloc::vec![cfg.signalling];
            ips.extend(cfg.remote.map(|r| r.ip()));
            ips
        };
        match *cmd {
            Cmd::Open { stream, port, cfg } if !failed => {
                self.streams.insert(stream, (port, ips(&cfg), Sink::None));
            }
            Cmd::Open { .. } => {}
            Cmd::Modify { stream, cfg } => {
                self.streams.entry(stream).and_modify(|s| s.1 = ips(&cfg));
            }
            Cmd::Link { stream, sink } => {
                self.streams.entry(stream).and_modify(|s| s.2 = sink);
            }
            Cmd::Close { stream } => {
                self.streams.remove(&stream);
                for (_, _, sink) in self.streams.values_mut() {
                    if *sink == Sink::Stream(stream) {
                        *sink = Sink::None;
                    }
                }
            }
        }
    }
    fn of_port(&self, port: PortNo) -> Option<StreamId> {
        self.streams.iter().find(|(_, s)| s.0 == port).map(|(id, _)| *id)
    }
    /// Media only from and to the negotiated or latched peers of one link.
    fn judge(&self, slot: &Slot, from: SocketAddr) -> Result<(), TestCaseError> {
        let Verdict::Forward { port, rtcp } = slot.verdict else { return Ok(()) };
        let source = self.of_port(slot.local).and_then(|id| self.streams.get(&id));
        let target = self.of_port(port).and_then(|id| self.streams.get(&id));
        let (Some(source), Some(target)) = (source, target) else {
            return Err(TestCaseError::fail("a packet of no stream was forwarded"));
        };
        prop_assert!(rtcp == slot.rtcp);
        prop_assert!(source.1.contains(&from.ip()), "{from} was never named");
        prop_assert!(target.1.contains(&slot.peer.ip()), "{} was never named", slot.peer);
        prop_assert_eq!(Some(source.2), self.of_port(port).map(Sink::Stream));
        prop_assert_ne!(slot.peer, addr(HOSTS[4]), "an own port while it is open");
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_comes_media_stays_within_its_link_and_a_thaw_changes_nothing(steps in steps()) {
        let mut shard = Shard::new(Entropy::new([1; 32]));
        // Port 10002 is ours from the start, so HOSTS[4] is refused by everybody.
        open(&mut shard, StreamId(99), PORT_B, cfg(BOB, "198.51.100.6"));
        let (mut book, mut ms) = (Book::default(), 0);
        for cmd in prologue() {
            shard.handle(at(0), cmd);
            book.note(&cmd, false);
        }
        let mut twin = shard.clone();
        for step in steps {
            match step {
                Step::Cmd(cmd) => {
                    shard.handle(at(ms), cmd);
                    twin.handle(at(ms), cmd);
                    let said = events(&mut shard);
                    prop_assert_eq!(&said, &events(&mut twin));
                    book.note(&cmd, said.iter().any(|e| matches!(e, Evt::Failed { .. })));
                }
                Step::Packet { port, rtcp, from, bytes } => {
                    let mut batch = [Slot::default()];
                    batch[0].fill(PortNo(port), rtcp, addr(HOSTS[from]), &bytes);
                    let mut other = batch.clone();
                    shard.relay(at(ms), &mut batch);
                    twin.relay(at(ms), &mut other);
                    prop_assert_eq!(batch[0].verdict, other[0].verdict);
                    prop_assert_eq!(batch[0].peer, other[0].peer);
                    book.judge(&batch[0], addr(HOSTS[from]))?;
                }
                Step::Wait(more) => {
                    ms += more;
                    let (ours, theirs) = (run(&mut shard, ms), run(&mut twin, ms));
                    prop_assert_eq!(ours.len(), theirs.len());
                    for ((_, a), (_, b)) in ours.iter().zip(&theirs) {
                        prop_assert_eq!((a.packet(), a.peer), (b.packet(), b.peer));
                        let id = book.of_port(a.local).expect("open");
                        prop_assert!(book.streams[&id].1.contains(&a.peer.ip()));
                    }
                }
                Step::Freeze => twin = thaw(&freeze(&twin).0).expect("plain data"),
            }
            prop_assert_eq!(events(&mut shard), events(&mut twin));
            prop_assert_eq!(shard.poll_timeout(), twin.poll_timeout());
        }
        prop_assert_eq!(freeze(&shard), freeze(&twin));
    }
}
