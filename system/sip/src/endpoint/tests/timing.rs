//! When things repeat, and when they end — RFC 3261 §9.1, §17, §18.4; RFC 4320.
use super::*;
use bitspath_core::net::CloseReason;

fn times(b: &mut Bench, until: u64) -> Vec<u64> {
    let mut times = Vec::new();
    while let Some((due, _)) = b.ep.poll_timeout().filter(|(due, _)| *due <= at_ms(until).mono) {
        b.now.mono = due;
        b.ep.handle_timeout(b.now);
        times.extend(b.sent().iter().map(|_| due.0 / 1_000_000));
    }
    times
}

#[test]
fn an_unanswered_invite_repeats_with_timer_a_and_ends_with_timer_b() {
    //= RFC 3261 §17.1.1.2 type=test
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Invite)).expect("room");
    b.sent();
    assert_eq!(b.ep.poll_timeout().map(|(_, why)| why), Some("timer A: INVITE again"));
    assert_eq!(times(&mut b, 99_000), [500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(b.now, at_ms(32_000));
    let failed = b.events();
    assert!(matches!(failed[0], Event::Failed { why: FailWhy::Timeout, owner: OWNER, .. }));
    assert!(matches!(failed[1], Event::Ended { owner: OWNER, .. }));
    assert!(b.is_at_rest());
}

#[test]
fn an_unanswered_request_repeats_with_timer_e_and_ends_with_timer_f() {
    //= RFC 3261 §17.1.2.2 type=test
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Bye)).expect("room");
    b.sent();
    let want = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
    assert_eq!(times(&mut b, 99_000), want);
    assert_eq!(b.now, at_ms(32_000));
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    //= RFC 3261 §9.1 type=test
    let mut b = Bench::new();
    let flow = udp_flow();
    let txn = b.ep.request(b.now, OWNER, flow, SENT_BY, out_request(Method::Invite)).expect("room");
    let (_, invite) = b.datagrams().pop().expect("sent");
    b.ep.cancel(b.now, txn, Some("SIP;cause=200"));
    assert!(b.sent().is_empty());
    b.receive(&answer(&invite, 100));
    let (_, cancel) = b.datagrams().pop().expect("CANCEL");
    let message = Message::parse(cancel.clone()).expect("ours");
    assert_eq!(message.method(), Method::Cancel);
    assert_eq!(message.header(crate::HeaderName::Reason), Some("SIP;cause=200"));
    b.receive(&answer(&cancel, 200));
    b.receive(&answer(&invite, 487));
    let codes: Vec<u16> = b
        .events()
        .iter()
        .filter_map(|e| match e {
            Event::Response { msg, .. } => msg.status().map(|s| s.0),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [100, 487]);
    assert_eq!(b.sent(), ["ACK sip:alice@192.0.2.77 SIP/2.0"]);
    b.pass(40_000);
    assert!(b.is_at_rest());
}

#[test]
fn a_cancelled_invite_that_nobody_ends_is_given_up() {
    let mut b = Bench::new();
    let flow = udp_flow();
    let txn = b.ep.request(b.now, OWNER, flow, SENT_BY, out_request(Method::Invite)).expect("room");
    let (_, invite) = b.datagrams().pop().expect("sent");
    b.receive(&answer(&invite, 180));
    b.ep.cancel(b.now, txn, None);
    b.ep.cancel(b.now, txn, None);
    b.events();
    b.pass(32_000);
    let ended = b.events();
    assert!(matches!(ended[0], Event::Failed { why: FailWhy::Timeout, .. }), "{ended:?}");
    assert!(b.is_at_rest());
}

#[test]
fn a_100_goes_out_after_200_ms_only_when_the_user_has_taken_the_invite_on() {
    //= RFC 3261 §17.2.1 type=test
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.pass(5_000);
    assert!(b.sent().is_empty());
    b.ep.trying(b.now, txn);
    b.pass(5_199);
    assert!(b.sent().is_empty());
    b.pass(5_200);
    assert_eq!(b.sent(), ["SIP/2.0 100 Trying"]);
    // And not when something has been answered in time.
    b.receive(&request_text("INVITE", "z9hG4bKb", 2, ""));
    let txn = b.request();
    b.ep.trying(b.now, txn);
    b.respond(txn, 180);
    b.pass(6_000);
    assert_eq!(b.sent(), ["SIP/2.0 180 Ringing"]);
}

#[test]
fn a_slow_non_invite_gets_a_100_after_three_and_a_half_seconds_and_nothing_after_32() {
    //= RFC 4320 §4.1 type=test
    //= RFC 4320 §4.2 type=test
    let mut b = Bench::new();
    b.receive(&request_text("OPTIONS", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.respond(txn, 100);
    b.respond(txn, 183);
    b.respond(txn, 408);
    b.pass(3_499);
    assert!(b.sent().is_empty());
    b.pass(3_500);
    assert_eq!(b.sent(), ["SIP/2.0 100 Trying"]);
    b.pass(32_000);
    b.respond(txn, 200);
    assert!(b.sent().is_empty() && b.is_at_rest());
    let c = b.ep.counters();
    assert_eq!((c.forbidden_responses, c.unanswered, c.late_responses), (2, 1, 1));
}

#[test]
fn a_second_final_response_is_our_bug_and_not_sent() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.respond(txn, 200);
    b.respond(txn, 486);
    assert_eq!(b.sent(), ["SIP/2.0 200 OK"]);
    assert_eq!(b.ep.counters().second_finals, 1);
}

#[test]
fn a_failure_that_nobody_acknowledges_ends_after_64_t1() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.ep.set_owner(txn, OWNER);
    b.respond(txn, 404);
    b.sent();
    let want = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
    assert_eq!(times(&mut b, 99_000), want);
    assert_eq!((b.now, b.ep.counters().unacknowledged), (at_ms(32_000), 1));
    assert!(matches!(b.events().as_slice(), [Event::Ended { .. }]));
}

#[test]
fn icmp_fails_what_nobody_has_answered_and_nothing_else() {
    //= RFC 3261 §18.4 type=test
    let mut b = Bench::new();
    let ask = |b: &mut Bench| {
        let r = out_request(Method::Invite);
        b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, r).expect("room");
        b.datagrams().pop().expect("sent").1
    };
    let ringing = ask(&mut b);
    b.receive(&answer(&ringing, 180));
    ask(&mut b);
    b.events();
    for peer in ["192.0.2.77:5061", "192.0.2.77:5060"] {
        let reason = CloseReason::Refused;
        let icmp = NetIn::Icmp { listener: ListenerId(0), peer: addr(peer), reason };
        b.ep.handle(b.now, icmp);
    }
    let events = b.events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::Failed { why: FailWhy::Transport, .. }, Event::Ended { .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn a_buried_transaction_is_silent_and_gone() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.ep.set_owner(txn, OWNER);
    b.ep.drop_txn(txn);
    b.respond(txn, 200);
    assert!(b.is_at_rest() && b.sent().is_empty() && b.events().is_empty());
    assert_eq!(b.ep.counters().late_responses, 1);
}

#[test]
fn a_lingering_transaction_is_small() {
    let size = size_of::<table::Transaction>();
    assert!(size <= 300, "{size} octets");
}
