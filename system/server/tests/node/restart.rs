//! What a restart keeps: UDP registrations, nonces, and the records of calls that were up.
use crate::phone::Phone;
use crate::world::{TWO, World, at, ip, start_of, status};
use bitspath_core::net::Transport;
use bitspath_core::store::{BindingRow, CdrCause, CdrId, CdrRow, Write};
use bitspath_core::{Duration, ListenerId, UnixTime};
use bitspath_server::query::Row;
use bitspath_server::{Event, Output, Query};

const WALL: UnixTime = UnixTime(1_795_426_867_000_000_000);

fn row(user: &str, expires: UnixTime) -> BindingRow {
    BindingRow {
        tenant: "alpha".into(),
        user: user.into(),
        contact: format!("<sip:{user}@10.0.0.12:5060>"),
        instance: None,
        q: 1000,
        call_id: "before".into(),
        cseq: 7,
        expires,
        listener: ListenerId(0),
        transport: Transport::Udp,
        peer: at("10.0.0.12:5060"),
        local: ip("192.0.2.1"),
    }
}

fn writes(w: &World) -> Vec<Write> {
    let write = |o: &Output| match o {
        Output::Store(request) => Some(request.write.clone()),
        _ => None,
    };
    w.outputs.iter().filter_map(write).collect()
}

#[test]
fn a_phone_is_reached_after_a_restart_without_registering_again() {
    let mut start = start_of(TWO);
    let live = WALL + Duration::from_secs(500);
    start.bindings = vec![row("1002", live), row("1001", WALL), row("4711", live)];
    let mut w = World::start(start);
    let page = w.node.query(w.now, &Query::Bindings { after: None }, 10);
    let [Row::Binding { user, expires_s: 500, .. }] = &page.rows[..] else { panic!("{page:?}") };
    assert_eq!(user, "1002");
    let deleted = writes(&w).iter().filter(|w| matches!(w, Write::DeleteBinding { .. })).count();
    assert_eq!(deleted, 2, "the expired one and the one of nobody");
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    let _ = alice.call(&mut w, "1002");
    let rings = w.received(at("10.0.0.12:5060"));
    assert!(rings.iter().any(|m| m.method_token() == "INVITE"));
}

#[test]
fn a_call_that_the_crash_cut_is_closed_once_with_cause_restart() {
    let mut start = start_of(TWO);
    start.open_cdrs = vec![CdrRow {
        id: CdrId(5),
        tenant: "alpha".into(),
        caller: "1001".into(),
        callee: "1002".into(),
        call_id: "x".into(),
        started: UnixTime(1),
        answered: Some(UnixTime(2)),
        ended: None,
        billed: Duration::ZERO,
        cause: CdrCause::Open,
        status: 200,
        packets: [0, 0],
    }];
    let mut w = World::start(start);
    let closed: Vec<CdrCause> = writes(&w)
        .into_iter()
        .filter_map(|w| match w {
            Write::PutCdr(row) => Some(row.cause),
            _ => None,
        })
        .collect();
    assert_eq!(closed, [CdrCause::Restart]);
    w.at_rest();
}

#[test]
fn a_nonce_of_before_the_restart_is_still_good() {
    let mut before = World::new(TWO);
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    let text = alice.register_text("");
    let challenge = before.send(alice.addr, &text).remove(0);
    let mut start = start_of(TWO);
    start.key = [99; 32];
    let mut after = World::start(start);
    alice.authorization = Some(alice.answer(&challenge, "REGISTER", "sip:alpha.example"));
    let text = alice.register_text("");
    assert_eq!(status(&after.send(alice.addr, &text)), 200);
}

#[test]
fn a_guest_network_that_cannot_be_read_keeps_the_node_from_starting() {
    let mut start = start_of(TWO);
    start.guest = Some("everybody".into());
    let w = World::start(start);
    assert!(matches!(&w.events[..], [Event::StartRefused { .. }]) && w.stopped);
}

#[test]
fn a_node_at_rest_waits_for_nothing() {
    let mut w = World::new(TWO);
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    assert_eq!(status(&[alice.register(&mut w, "Expires: 60\r\n")]), 200);
    w.store();
    w.advance(Duration::from_secs(200));
    w.store();
    assert_eq!(bitspath_core::Node::poll_timeout(&w.node), None);
    w.at_rest();
}
