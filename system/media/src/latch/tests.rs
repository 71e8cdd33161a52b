//! The latch against a reference model, and its whole table as a golden text.
use super::*;
use alloc::format;
use alloc::string::String;
use bitspath_core::Duration;
use core::fmt::Write;
use core::net::SocketAddr;
use proptest::prelude::*;

fn addr(s: &str) -> Addr {
    s.parse::<SocketAddr>().expect("address").into()
}

fn allowed(sdp: Option<&str>, signalling: &str) -> Allowed {
    let ip = |s: &str| s.parse().expect("address");
    Allowed { sdp: sdp.map(addr), signalling: ip(signalling), local: ip("203.0.113.10") }
}

/// The rule as a story: everything ever seen is remembered, and the peer is found by reading it.
#[derive(Default)]
struct Model {
    /// Believed packets since the last time the latch was given up.
    believed: alloc::vec::Vec<(Instant, Addr, Ssrc)>,
}

impl Model {
    fn packet(&mut self, now: Instant, allowed: &Allowed, from: Addr, ssrc: Ssrc) -> bool {
        let ok = match self.believed.last() {
            None => {
                from.ip() == allowed.signalling || allowed.sdp.is_some_and(|s| s.ip() == from.ip())
            }
            Some((at, peer, last_ssrc)) => {
                let quiet = now.0 >= at.0 + 200_000_000;
                let (same_peer, same_ssrc) = (*peer == from, *last_ssrc == ssrc);
                let same_ip = peer.ip() == from.ip();
                same_peer && same_ssrc || quiet && same_ip && (same_peer || same_ssrc)
            }
        };
        if ok {
            self.believed.push((now, from, ssrc));
        }
        ok
    }
    fn modify(&mut self, before: &Allowed, after: &Allowed) {
        let Some((_, peer, _)) = self.believed.last() else { return };
        let known = after.sdp.is_some_and(|s| s.ip() == peer.ip()) || after.signalling == peer.ip();
        let named_another = matches!((before.sdp, after.sdp), (Some(a), Some(b)) if a != b);
        if !known || named_another {
            self.believed.clear();
        }
    }
}

const PEERS: [&str; 6] = [
    "10.0.0.5:4000",
    "10.0.0.5:4002",
    "198.51.100.7:4000",
    "198.51.100.7:61000",
    "192.0.2.66:4000",
    "[2001:db8::5]:4000",
];

#[derive(Clone, Debug)]
enum Step {
    Packet { gap_ms: u64, from: usize, ssrc: u32 },
    Modify { sdp: Option<usize>, signalling: usize },
}

fn steps() -> impl Strategy<Value = alloc::vec::Vec<Step>> {
    let packet = (prop_oneof![Just(20u64), Just(199), Just(200), Just(500)], 0..6usize, 0..2u32)
        .prop_map(|(gap_ms, from, ssrc)| Step::Packet { gap_ms, from, ssrc });
    let modify = (proptest::option::of(0..6usize), 0..6usize)
        .prop_map(|(sdp, signalling)| Step::Modify { sdp, signalling });
    proptest::collection::vec(prop_oneof![6 => packet, 1 => modify], 1..60)
}

proptest! {
    #[test]
    fn the_latch_believes_what_the_model_believes(steps in steps()) {
        let (mut latch, mut model) = (Latch::default(), Model::default());
        let mut rules = allowed(Some(PEERS[0]), "198.51.100.7");
        let mut now = Instant(0);
        for step in steps {
            match step {
                Step::Packet { gap_ms, from, ssrc } => {
                    now += Duration::from_millis(gap_ms);
                    let (from, ssrc) = (addr(PEERS[from]), Ssrc(ssrc));
                    let fast = latch.is_same(now, from, ssrc);
                    let belief = latch.judge(now, &rules, from, ssrc);
                    prop_assert_eq!(fast, belief == Belief::Same);
                    let want = model.packet(now, &rules, from, ssrc);
                    prop_assert_eq!(belief != Belief::Stranger, want);
                }
                Step::Modify { sdp, signalling } => {
                    let ip = addr(PEERS[signalling]).ip();
                    let sdp = sdp.map(|i| addr(PEERS[i]));
                    let after = Allowed { sdp, signalling: ip, ..rules };
                    latch.modify(&rules, &after);
                    model.modify(&rules, &after);
                    rules = after;
                }
            }
            prop_assert_eq!(latch.peer(), model.believed.last().map(|(_, peer, _)| *peer));
            if let Some(peer) = latch.destination(&rules) {
                prop_assert!(rules.covers(peer), "sends to an address that nobody named");
            }
        }
    }

    /// Planted attackers: any source address but the two named ones, any SSRC, at any pace.
    #[test]
    fn a_stranger_never_latches(
        tries in proptest::collection::vec((0u64..1000, any::<SocketAddr>(), any::<u32>()), 0..50),
    ) {
        let rules = allowed(Some(PEERS[0]), "198.51.100.7");
        let mut latch = Latch::default();
        let mut now = Instant(0);
        for (gap, from, ssrc) in tries {
            now += Duration::from_millis(gap);
            let from = Addr::from(from);
            if !rules.covers(from) {
                prop_assert_eq!(latch.judge(now, &rules, from, Ssrc(ssrc)), Belief::Stranger);
                prop_assert_eq!(latch.peer(), None);
            }
        }
    }
}

/// Every input in every state, as a table that is read in review.
#[test]
fn the_table_of_every_input_in_every_state_is_the_golden_one() {
    let t0 = Instant(1_000_000_000);
    let rules = allowed(Some("10.0.0.5:4000"), "198.51.100.7");
    let latched = |peer| Latch::Latched { peer: addr(peer), ssrc: Ssrc(1), last: t0 };
    let states = [
        ("waiting", Latch::Waiting),
        ("latched to the SDP address", latched("10.0.0.5:4000")),
        ("latched to the signalling address", latched("198.51.100.7:61000")),
    ];
    let peers = [
        ("SDP address and port", "10.0.0.5:4000"),
        ("SDP address, other port", "10.0.0.5:4002"),
        ("signalling address", "198.51.100.7:61000"),
        ("signalling address, other port", "198.51.100.7:61002"),
        ("stranger", "192.0.2.66:4000"),
    ];
    let mut table = String::from("# state | packet from | SSRC | after | belief -> peer\n");
    for (name, state) in states {
        for (who, from) in peers {
            for ssrc in [1, 2] {
                for ms in [20, 200] {
                    let mut latch = state;
                    let at = t0 + Duration::from_millis(ms);
                    let belief = latch.judge(at, &rules, addr(from), Ssrc(ssrc));
                    let peer = latch
                        .peer()
                        .map_or(String::from("-"), |p| format!("{}", SocketAddr::from(p)));
                    let ssrc = if ssrc == 1 { "same" } else { "new" };
                    writeln!(table, "{name} | {who} | {ssrc} | {ms} ms | {belief:?} -> {peer}")
                        .expect("writes");
                }
            }
        }
        let offers = [
            ("the same again", rules),
            ("another port", allowed(Some("10.0.0.5:5000"), "198.51.100.7")),
            ("no SDP", allowed(None, "198.51.100.7")),
            ("another signalling source", allowed(Some("10.0.0.5:4000"), "198.51.100.9")),
        ];
        for (what, offer) in offers {
            let mut latch = state;
            let given_up = latch.modify(&rules, &offer);
            let dest = latch.destination(&offer).map(SocketAddr::from);
            let dest = dest.map_or(String::from("nowhere"), |d| format!("{d}"));
            let kept = if given_up { "given up" } else { "kept" };
            writeln!(table, "{name} | signalling says {what} | {kept}, sends to {dest}")
                .expect("writes");
        }
    }
    golden("latch.txt", &table);
}

/// Compares with `golden/NAME`; `BLESS=1` in the environment writes it instead.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("golden folder");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{name} differs");
}
