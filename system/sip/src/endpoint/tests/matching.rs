//! Whose message is this — RFC 3261 §8.2.2.2, §9.2, §17.1.3, §17.2.3.
use super::*;

#[test]
fn a_repeated_invite_is_answered_from_its_transaction() {
    //= RFC 3261 §17.2.3 type=test
    let mut b = Bench::new();
    let invite = request_text("INVITE", "z9hG4bKa", 1, "");
    b.receive(&invite);
    let txn = b.request();
    b.receive(&invite);
    assert!(b.sent().is_empty());
    b.respond(txn, 180);
    b.receive(&invite.replace("z9hG4bKa", "Z9HG4BKA"));
    assert_eq!(b.sent(), ["SIP/2.0 180 Ringing", "SIP/2.0 180 Ringing"]);
    assert!(b.events().is_empty());
    assert_eq!(b.ep.counters().repeats_in, 2);
    // Another sent-by is another client that happened on the same branch.
    b.receive(&invite.replace("192.0.2.77:5060", "192.0.2.77:5070"));
    assert_eq!(b.events().len(), 1);
}

#[test]
fn an_ack_to_a_failure_is_absorbed_and_stops_its_retransmission() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.respond(txn, 486);
    b.pass(600);
    assert_eq!(b.sent(), ["SIP/2.0 486 Busy Here", "SIP/2.0 486 Busy Here"]);
    for _ in 0..2 {
        b.receive(&request_text("ACK", "z9hG4bKa", 1, ""));
    }
    b.pass(40_000);
    assert!(b.sent().is_empty() && b.events().is_empty() && b.is_at_rest());
    assert_eq!((b.ep.counters().acks_absorbed, b.ep.counters().unacknowledged), (2, 0));
}

#[test]
fn an_ack_to_a_2xx_is_not_absorbed_by_the_transaction() {
    //= RFC 6026 §7.1 type=test
    for branch in ["z9hG4bKa", "z9hG4bKother"] {
        let mut b = Bench::new();
        b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
        let txn = b.request();
        b.respond(txn, 200);
        b.receive(&request_text("ACK", branch, 1, ""));
        assert!(matches!(b.events().as_slice(), [Event::Ack { .. }]), "{branch}");
    }
}

#[test]
fn the_2xx_repeats_only_on_demand_and_an_invite_is_absorbed_meanwhile() {
    //= RFC 6026 §7.1 type=test
    let mut b = Bench::new();
    let invite = request_text("INVITE", "z9hG4bKa", 1, "");
    b.receive(&invite);
    let txn = b.request();
    b.respond(txn, 200);
    b.receive(&invite);
    b.pass(10_000);
    assert_eq!(b.sent(), ["SIP/2.0 200 OK"]);
    assert!(b.ep.retransmit(b.now, txn));
    assert_eq!(b.sent(), ["SIP/2.0 200 OK"]);
    b.pass(32_000);
    assert!(b.is_at_rest() && !b.ep.retransmit(b.now, txn));
}

#[test]
fn a_cancel_finds_its_invite_and_shares_the_tag_of_its_answers() {
    //= RFC 3261 §9.2 type=test
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let invite = b.request();
    b.ep.set_owner(invite, OWNER);
    let cancel = request_text("CANCEL", "z9hG4bKa", 1, "");
    b.receive(&cancel);
    b.receive(&cancel);
    match b.events().as_slice() {
        [Event::Cancelled { txn, owner, .. }] => {
            assert_eq!((*txn, *owner), (invite, Some(OWNER)));
        }
        other => panic!("{other:?}"),
    }
    b.respond(invite, 487);
    let sent = b.datagrams();
    let lines: Vec<String> = sent.iter().map(|(_, m)| first_line(m)).collect();
    assert_eq!(lines, ["SIP/2.0 200 OK", "SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    let tags: Vec<String> = sent
        .iter()
        .map(|(_, m)| Message::parse(m.clone()).expect("ours").to_tag().expect("tag").to_string())
        .collect();
    assert!(tags.iter().all(|t| *t == tags[0]), "{tags:?}");
}

#[test]
fn a_cancel_shares_the_tag_that_the_user_gave() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let invite = b.request();
    let mut ringing = OutResponse::new(Status::RINGING);
    ringing.to_tag = Some("mine".into());
    b.ep.respond(b.now, invite, ringing);
    b.receive(&request_text("CANCEL", "z9hG4bKa", 1, ""));
    let (_, ok) = b.datagrams().pop().expect("200");
    assert_eq!(Message::parse(ok).expect("ours").to_tag(), Some("mine"));
}

#[test]
fn a_cancel_after_the_answer_is_answered_and_has_no_effect() {
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    let invite = b.request();
    b.respond(invite, 200);
    b.receive(&request_text("CANCEL", "z9hG4bKa", 1, ""));
    assert_eq!(b.sent(), ["SIP/2.0 200 OK", "SIP/2.0 200 OK"]);
    assert!(b.events().is_empty());
}

#[test]
fn a_cancel_for_nothing_is_answered_481() {
    let mut b = Bench::new();
    b.receive(&request_text("CANCEL", "z9hG4bKa", 1, ""));
    assert_eq!(b.sent(), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert!(b.events().is_empty());
    assert_eq!(b.ep.counters().cancels_unmatched, 1);
    b.pass(40_000);
    assert!(b.is_at_rest());
}

#[test]
fn a_branch_that_is_only_the_cookie_matches_nobody_elses_request() {
    // RFC 4475 §3.2.1 badbranch: the RFC 2543 identity is used instead.
    let mut b = Bench::new();
    let one = request_text("OPTIONS", "z9hG4bK", 1, "");
    b.receive(&one);
    b.receive(&one);
    b.receive(&one.replace("Call-ID: c1", "Call-ID: c2"));
    b.receive(&one.replace("CSeq: 1", "CSeq: 2"));
    b.receive(&one.replace("bob@pbx.example SIP", "carol@pbx.example SIP"));
    let merged: Vec<bool> =
        b.events().iter().map(|e| matches!(e, Event::Request { merged: true, .. })).collect();
    assert_eq!(merged, [false, false, false, true]);
}

#[test]
fn an_invite_of_rfc_2543_is_matched_without_a_branch() {
    //= RFC 3261 §17.2.3 type=test
    let old = |method: &str| {
        request_text(method, "x", 56, "").replace(";branch=x", "").replace(";tag=al", "")
    };
    let mut b = Bench::new();
    b.receive(&old("INVITE"));
    let txn = b.request();
    b.receive(&old("INVITE"));
    b.receive(&old("CANCEL"));
    assert!(matches!(b.events().as_slice(), [Event::Cancelled { .. }]));
    b.respond(txn, 487);
    b.receive(&old("ACK").replace("bob@pbx.example>", "bob@pbx.example>;tag=x"));
    b.pass(40_000);
    assert_eq!(b.sent(), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert!(b.is_at_rest() && b.events().is_empty());
}

#[test]
fn the_same_request_by_two_paths_is_reported_as_merged() {
    //= RFC 3261 §8.2.2.2 type=test
    let mut b = Bench::new();
    b.receive(&request_text("INVITE", "z9hG4bKa", 1, ""));
    b.receive(&request_text("INVITE", "z9hG4bKb", 1, ""));
    let in_dialog = |branch| {
        let text = request_text("INVITE", branch, 2, "");
        text.replace("To: <sip:bob@pbx.example>", "To: <sip:bob@pbx.example>;tag=bo")
    };
    b.receive(&in_dialog("z9hG4bKc"));
    b.receive(&in_dialog("z9hG4bKd"));
    let merged: Vec<bool> =
        b.events().iter().map(|e| matches!(e, Event::Request { merged: true, .. })).collect();
    assert_eq!(merged, [false, true, false, false]);
    assert_eq!(b.ep.counters().merged, 1);
}

#[test]
fn a_response_is_ours_only_by_branch_method_and_sent_by() {
    //= RFC 3261 §17.1.3 type=test
    //= RFC 3261 §18.1.2 type=test
    //= RFC 3261 §8.1.3.3 type=test
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Options)).expect("room");
    let (_, request) = b.datagrams().pop().expect("sent");
    let ok = answer(&request, 200);
    b.receive(&ok.replace("192.0.2.1:5060", "192.0.2.2:5060"));
    b.receive(&ok.replace("z9hG4bK09", "z9hG4bK08"));
    b.receive(&ok.replace("\nFrom", "\nVia: SIP/2.0/UDP b;branch=z9hG4bKx\nFrom"));
    b.receive(&ok.replace("CSeq: 1 OPTIONS", "CSeq: 1 BYE"));
    assert!(b.events().is_empty());
    assert_eq!((b.ep.counters().wrong_via, b.ep.counters().stray_responses), (3, 1));
    b.receive(&ok);
    assert!(matches!(b.events().as_slice(), [Event::Response { owner: OWNER, .. }]));
    b.receive(&ok);
    assert!(b.events().is_empty());
}

#[test]
fn a_failed_invite_is_acknowledged_with_the_same_octets_each_time() {
    //= RFC 6026 §8.4 type=test
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Invite)).expect("room");
    let (_, invite) = b.datagrams().pop().expect("sent");
    b.receive(&answer(&invite, 486));
    b.receive(&answer(&invite, 486));
    let acks = b.datagrams();
    assert_eq!(acks.len(), 2);
    assert_eq!(acks[0].1, acks[1].1);
    let ack = Message::parse(acks[0].1.clone()).expect("ours");
    let invite = Message::parse(invite).expect("ours");
    //= RFC 3581 §3 type=test
    assert_eq!(invite.top_via().rport(), Some(None));
    assert_eq!((ack.method(), ack.to_tag()), (Method::Ack, Some("peer")));
    assert_eq!(ack.top_via().branch(), invite.top_via().branch());
    assert_eq!(b.events().len(), 1);
}

#[test]
fn every_2xx_of_a_forked_invite_goes_up() {
    //= RFC 6026 §7.2 type=test
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Invite)).expect("room");
    let (_, invite) = b.datagrams().pop().expect("sent");
    for tag in ["peer", "peer", "fork"] {
        b.receive(&answer(&invite, 200).replace("tag=peer", &format!("tag={tag}")));
    }
    assert_eq!(b.events().len(), 3);
    b.pass(32_000);
    assert!(matches!(b.events().as_slice(), [Event::Ended { owner: OWNER, .. }]));
    assert!(b.is_at_rest());
}
