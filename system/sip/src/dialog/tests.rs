//! Dialogs against RFC 3261 §12, §13.2.2.4, §13.3.1.4, §16.12.1.
use super::accepted::Due;
use super::route::{Routed, lead, routed};
use super::*;
use crate::Uri;
use crate::transaction::Timers;
use bitspath_core::{Bytes, Duration, Instant};

fn message(text: &str) -> Message {
    Message::parse(Bytes::from(text.replace('\n', "\r\n"))).expect("a good message")
}

const INVITE: &str = "INVITE sip:bob@10.0.0.2 SIP/2.0
Via: SIP/2.0/UDP p2.example;branch=z9hG4bKa
Max-Forwards: 69
Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>
Record-Route: <sip:p0.example;lr>
From: \"Alice, A\" <sip:alice@a.example>;tag=al;x=1
To: sip:bob@b.example
Call-ID: c1
CSeq: 7 INVITE
Contact: <sip:alice@10.0.0.1:5070;transport=tcp>
Content-Length: 0

";

fn in_dialog(method: &str, cseq: u32, more: &str) -> Message {
    message(&format!(
        "{method} sip:bob@10.0.0.2 SIP/2.0
Via: SIP/2.0/UDP p2.example;branch=z9hG4bKb{cseq}
Max-Forwards: 69
From: <sip:alice@a.example>;tag=al
To: <sip:bob@b.example>;tag=bo
Call-ID: c1
CSeq: {cseq} {method}
{more}Content-Length: 0

"
    ))
}

#[test]
fn the_callee_keeps_the_record_route_in_order() {
    //= RFC 3261 §12.1.1 type=test
    let mut dialog = Dialog::uas(&message(INVITE), "bo");
    assert_eq!(
        dialog.routes,
        ["<sip:p2.example;lr>", "<sip:p1.example;lr>", "<sip:p0.example;lr>"]
    );
    let bye = dialog.request(Method::Bye, None, 70);
    assert_eq!(bye.uri, "sip:alice@10.0.0.1:5070;transport=tcp");
    assert_eq!(bye.routes, dialog.routes);
    assert_eq!(bye.from, "<sip:bob@b.example>;tag=bo");
    assert_eq!(bye.to, "\"Alice, A\" <sip:alice@a.example>;x=1;tag=al");
    assert_eq!((bye.cseq, dialog.request(Method::Info, None, 70).cseq), (1, 2));
    assert_eq!(dialog.key(), Key::of_request(&in_dialog("BYE", 8, "")));
}

fn sent() -> OutRequest {
    OutRequest {
        method: Method::Invite,
        uri: "sip:bob@b.example".into(),
        routes: vec![],
        from: "\"A\" <sip:alice@a.example>;tag=al".into(),
        to: "<sip:bob@b.example>".into(),
        call_id: "c1".into(),
        cseq: 3,
        contact: None,
        max_forwards: 70,
        extra: vec![],
        body: None,
    }
}

fn answer(status: &str, more: &str) -> Message {
    message(&format!(
        "SIP/2.0 {status}
Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa
From: \"A\" <sip:alice@a.example>;tag=al
To: <sip:bob@b.example>;tag=bo
Call-ID: c1
CSeq: 3 INVITE
{more}Content-Length: 0

"
    ))
}

#[test]
fn the_caller_reverses_the_record_route_and_takes_it_anew_from_the_2xx() {
    //= RFC 3261 §12.1.2 type=test
    let ringing =
        answer("180 Ringing", "Record-Route: <sip:p2;lr>,<sip:p1;lr>\nContact: <sip:bob@early>\n");
    let mut dialog = Dialog::uac(&sent(), &ringing);
    assert!(dialog.early);
    assert_eq!(
        (dialog.target.as_str(), &dialog.routes[..]),
        ("sip:bob@early", &ringing_routes()[..])
    );
    //= RFC 3261 §13.2.2.4 type=test
    let ok = answer("200 OK", "Record-Route: <sip:p1;lr>\nContact: <sip:bob@final>\n");
    dialog.confirm(&ok);
    assert!(!dialog.early);
    assert_eq!(dialog.target, "sip:bob@final");
    assert_eq!(dialog.routes, ["<sip:p1;lr>"]);
    let ack = dialog.ack(3);
    assert_eq!((ack.method, ack.cseq, ack.uri.as_str()), (Method::Ack, 3, "sip:bob@final"));
    assert_eq!(dialog.request(Method::Bye, None, 70).cseq, 4);
    assert_eq!(dialog.key(), Key::of_response(&ok));
}

fn ringing_routes() -> Vec<String> {
    vec!["<sip:p1;lr>".into(), "<sip:p2;lr>".into()]
}

#[test]
fn a_strict_router_becomes_the_request_uri() {
    //= RFC 3261 §12.2.1.1 type=test
    let routes = vec!["<sip:p1.example;method=BYE?x=y>".into(), "<sip:p2.example;lr>".into()];
    let (uri, rest) = lead("sip:bob@10.0.0.2", &routes);
    assert_eq!(uri, "sip:p1.example");
    assert_eq!(rest, ["<sip:p2.example;lr>", "<sip:bob@10.0.0.2>"]);
    let loose: Vec<String> = vec!["<sip:p2.example;lr>".into(), "<sip:p1.example>".into()];
    assert_eq!(lead("sip:bob@b", &loose), ("sip:bob@b".into(), loose.clone()));
    assert_eq!(lead("sip:bob@b", &[]), ("sip:bob@b".into(), vec![]));
}

#[test]
fn our_own_route_is_taken_off_and_a_strange_one_stays() {
    //= RFC 3261 §16.4 type=test
    let is_me = |uri: &Uri<'_>| uri.host == "pbx.example";
    let never = |_: &Uri<'_>| false;
    let with = |routes: &str| in_dialog("BYE", 8, &format!("Route: {routes}\n"));
    let both = routed(&with("<sip:pbx.example;lr>, <sip:next.example;lr>"), is_me, never);
    assert_eq!(both.rest, ["<sip:next.example;lr>"]);
    assert_eq!(routed(&with("<sip:pbx.example;lr>"), is_me, never).rest, [""; 0]);
    assert_eq!(routed(&with("<sip:other;lr>"), is_me, never).rest, ["<sip:other;lr>"]);
    // A strict router before us: our Record-Route stands in the Request-URI.
    let strict =
        routed(&with("<sip:p1;lr>,<sip:carol@c.example>"), is_me, |u| u.host == "10.0.0.2");
    let want = Routed { uri: "sip:carol@c.example".into(), rest: vec!["<sip:p1;lr>".into()] };
    assert_eq!(strict, want);
}

#[test]
fn a_request_out_of_order_is_refused_with_500() {
    //= RFC 3261 §12.2.2 type=test
    let mut dialog = Dialog::uas(&message(INVITE), "bo");
    assert_eq!(dialog.accept(&in_dialog("INFO", 9, "")), Ok(()));
    let refusal = dialog.accept(&in_dialog("INFO", 8, "")).expect_err("8 after 9");
    assert_eq!(refusal.status(), Status::SERVER_ERROR);
    assert_eq!(dialog.accept(&in_dialog("ACK", 7, "")), Ok(()));
    assert_eq!(dialog.remote_cseq, Some(9));
}

#[test]
fn only_a_target_refresh_moves_the_target() {
    let mut dialog = Dialog::uas(&message(INVITE), "bo");
    dialog.refresh_target(&in_dialog("INFO", 8, "Contact: <sip:alice@10.9.9.9>\n"));
    assert_eq!(dialog.target, "sip:alice@10.0.0.1:5070;transport=tcp");
    dialog.refresh_target(&in_dialog("INVITE", 9, "Contact: <sip:alice@10.9.9.9>\n"));
    assert_eq!(dialog.target, "sip:alice@10.9.9.9");
    dialog.refresh_target(&in_dialog("INVITE", 10, ""));
    assert_eq!(dialog.target, "sip:alice@10.9.9.9");
}

#[test]
fn an_unacknowledged_2xx_repeats_from_t1_to_t2_and_is_given_up_after_64_t1() {
    //= RFC 3261 §13.3.1.4 type=test
    let mut wait = Accepted::new(Instant(0), &Timers::default());
    let mut at = vec![];
    loop {
        let (due, _) = wait.poll_timeout().expect("waiting");
        assert_eq!(wait.handle_timeout(due - Duration::from_nanos(1)), None);
        at.push(due.0 / 1_000_000);
        if wait.handle_timeout(due) == Some(Due::GiveUp) {
            break;
        }
    }
    let want = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000];
    assert_eq!(at, want);
    assert_eq!((wait.poll_timeout(), wait.acknowledge()), (None, false));
    let mut wait = Accepted::new(Instant(0), &Timers::default());
    assert!(wait.acknowledge() && !wait.acknowledge());
    assert_eq!(wait.poll_timeout(), None);
}
