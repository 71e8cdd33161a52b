//! Any inputs in any order: nothing panics, and at the end everything is given back exactly once.
use super::rig::{ANSWER, CALL, HELD, HOLD, OFFER, Rig, ring};
use crate::anchor::stream_id;
use crate::call::{Failure, In};
use crate::effect::{LegId, TimerKey};
use crate::facts::{Route, Service};
use alloc::vec::Vec;
use alloc::{format, vec};
use bitspath_core::Duration;
use bitspath_core::store::CdrCause;
use bitspath_media::{Evt, PortNo};
use bitspath_sip::endpoint::TxnId;
use proptest::prelude::*;

const SAVP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/SAVP 0\r\n";
const VIDEO: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=video 4002 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 8 0\r\na=inactive\r\n";
const BODIES: [Option<&str>; 8] = [
    None,
    Some(OFFER),
    Some(ANSWER),
    Some(HOLD),
    Some(HELD),
    Some(SAVP),
    Some(VIDEO),
    Some("not a session"),
];
const STATUSES: [u16; 14] = [100, 180, 183, 199, 200, 200, 202, 302, 404, 408, 481, 486, 491, 603];
const METHODS: [&str; 8] =
    ["BYE", "INVITE", "INVITE", "INVITE", "OPTIONS", "INFO", "UPDATE", "FROB"];

#[derive(Clone, Debug)]
enum Op {
    Reply(usize, usize, bool, usize),
    Request(u32, usize, usize),
    Ack(u32, usize),
    Cancel(usize),
    Failed(usize, u8),
    Fire,
    Advance(u64),
    Timer(u8),
    Closed(usize),
    MediaFailed(usize),
    HangUp,
}

fn op() -> impl Strategy<Value = Op> {
    let body = 0..BODIES.len();
    prop_oneof![
        8 => (0..8usize, 0..STATUSES.len(), any::<bool>(), body.clone())
            .prop_map(|(n, s, tag, b)| Op::Reply(n, s, tag, b)),
        4 => (0..4u32, 0..METHODS.len(), body.clone()).prop_map(|(l, m, b)| Op::Request(l, m, b)),
        4 => (0..3u32, body).prop_map(|(l, b)| Op::Ack(l, b)),
        1 => (0..4usize).prop_map(Op::Cancel),
        1 => (0..8usize, 0..3u8).prop_map(|(n, w)| Op::Failed(n, w)),
        2 => Just(Op::Fire),
        1 => (0..40_000u64).prop_map(Op::Advance),
        1 => (0..8u8).prop_map(Op::Timer),
        1 => (0..2usize).prop_map(Op::Closed),
        1 => (0..2usize).prop_map(Op::MediaFailed),
        1 => Just(Op::HangUp),
    ]
}

fn route(kind: u8) -> Route {
    match kind {
        0 => Route::Service(Service::Echo),
        1 => Route::Service(Service::Tone),
        n => ring(n - 1),
    }
}

fn play(rig: &mut Rig, txns: &mut Vec<TxnId>, op: Op) {
    match op {
        Op::Reply(n, s, other_tag, b) => {
            let Some(asked) = rig.asked.get(n).filter(|a| !a.done) else { return };
            let tag = if other_tag { "fork".into() } else { format!("bob{}", asked.leg.0) };
            rig.reply_to(n, STATUSES[s], &tag, BODIES[b]);
        }
        Op::Request(leg, m, b) => txns.extend(rig.request(LegId(leg), METHODS[m], BODIES[b])),
        Op::Ack(leg, b) => rig.ack(LegId(leg), BODIES[b]),
        Op::Cancel(n) => {
            if let Some(txn) = txns.get(n).copied() {
                rig.cancel(txn);
            }
        }
        Op::Failed(n, w) => {
            let why = [Failure::Timeout, Failure::Transport, Failure::Full][usize::from(w)];
            rig.failed(n, why);
        }
        Op::Fire => {
            rig.fire();
        }
        Op::Advance(ms) => rig.advance(Duration::from_millis(ms)),
        // Deadlines that nobody armed, or that are not due.
        Op::Timer(n) => {
            let keys = [TimerKey::Ring, TimerKey::Age, TimerKey::Stats, TimerKey::Linger];
            let key = keys.get(usize::from(n)).copied();
            let key = key.unwrap_or(TimerKey::Ack(LegId(u32::from(n) % 4)));
            rig.armed.remove(&key);
            rig.step(In::Timer(key));
        }
        Op::Closed(side) => rig.closed(side, 9),
        Op::MediaFailed(side) => {
            let stream = Some(stream_id(CALL, side));
            let evt = Evt::Failed { stream, port: PortNo(10_000), what: "x".into() };
            rig.step(In::Media(&evt));
        }
        Op::HangUp => rig.step(In::HangUp(CdrCause::Shutdown)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn whatever_the_order_everything_is_given_back_once(
        kind in 0u8..6,
        delayed in any::<bool>(),
        ops in proptest::collection::vec(op(), 0..24),
    ) {
        let mut rig = Rig::new(route(kind));
        let mut txns = vec![rig.start((!delayed).then_some(OFFER))];
        for op in ops {
            if rig.gone {
                break;
            }
            play(&mut rig, &mut txns, op);
        }
        // Peers fall silent: deadlines alone bring the call to its end.
        while !rig.gone && rig.fire() {}
        rig.assert_at_rest();
    }
}
