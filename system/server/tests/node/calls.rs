//! Whole calls through the Node: two phones, the services, the ends that a call can have.
use crate::phone::{Phone, ack_of};
use crate::world::{TWO, World, status};
use bitspath_core::store::CdrCause;
use bitspath_core::{Duration, Node as _};
use bitspath_server::{Cmd, Event, Input};
use bitspath_sip::{HeaderName, Message};

fn sdp(host: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}

const TYPE: &str = "Content-Type: application/sdp\r\n";

/// Alice and Bob of alpha, registered.
fn pair(w: &mut World) -> (Phone, Phone) {
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    let mut bob = Phone::new("1002", "a-two", "alpha.example", "10.0.0.12:5060");
    assert_eq!(status(&[alice.register(w, "")]), 200);
    assert_eq!(status(&[bob.register(w, "")]), 200);
    w.store();
    (alice, bob)
}

/// Alice invites `number`; her authenticated INVITE and what she got for it.
fn invite(w: &mut World, alice: &mut Phone, number: &str) -> (String, Vec<Message>) {
    alice.call_id = format!("call-{number}");
    let uri = format!("sip:{number}@alpha.example");
    let to = format!("<{uri}>");
    let body = sdp("10.0.0.11", 4000);
    let text = alice.request("INVITE", &uri, &to, TYPE, &body);
    let first = w.send(alice.addr, &text).pop().expect("a challenge");
    assert_eq!(status(std::slice::from_ref(&first)), 401);
    w.send(alice.addr, &ack_of(&text, &first));
    alice.authorization = Some(alice.answer(&first, "INVITE", &uri));
    let text = alice.request("INVITE", &uri, &to, TYPE, &body);
    let answers = w.send(alice.addr, &text);
    (text, answers)
}

/// A phone's answer to a request that it received.
fn reply(request: &Message, line: &str, tag: &str, more: &str, body: &str) -> String {
    let mut out = format!("SIP/2.0 {line}\r\n");
    for via in request.vias() {
        out.push_str(&format!("Via: {via}\r\n"));
    }
    let get = |name| request.header(name).unwrap_or_default().to_owned();
    let mut to = get(HeaderName::To);
    if !tag.is_empty() && request.to_tag().is_none() {
        to.push_str(&format!(";tag={tag}"));
    }
    let (from, call_id, cseq) =
        (get(HeaderName::From), get(HeaderName::CallId), get(HeaderName::CSeq));
    out.push_str(&format!(
        "From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
         Contact: <sip:1002@10.0.0.12:5060>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    out
}

/// A request within the dialog that `answer` (a 2xx to `invite`) made.
fn within(phone: &mut Phone, method: &str, answer: &Message, cseq: Option<u32>) -> String {
    let contact = answer.contacts().first().expect("a Contact").uri_text.to_owned();
    let to = answer.header(HeaderName::To).expect("a To").to_owned();
    let text = phone.request(method, &contact, &to, "", "");
    match cseq {
        Some(n) => text.replace(&format!("CSeq: {} ", phone.cseq), &format!("CSeq: {n} ")),
        None => text,
    }
}

fn ended(w: &World) -> Vec<CdrCause> {
    let cause = |e: &Event| match e {
        Event::CallEnded { cdr, .. } => Some(cdr.cause),
        _ => None,
    };
    w.events.iter().filter_map(cause).collect()
}

fn rest(w: &mut World) {
    w.advance(Duration::from_secs(70));
    w.at_rest_but(&["registrations", "bindings", "aors", "kept-alive flows"]);
}

#[test]
fn two_phones_talk_and_the_caller_hangs_up() {
    let mut w = World::new(TWO);
    let (mut alice, bob) = pair(&mut w);
    let (_, answers) = invite(&mut w, &mut alice, "1002");
    assert!(answers.iter().all(|m| m.status().is_some_and(|s| s.is_provisional())));
    let invite_b = w.received(bob.addr).pop().expect("bob rings");
    assert_eq!(invite_b.uri_text(), "sip:1002@10.0.0.12:5060");
    assert_ne!(invite_b.call_id(), alice.call_id);
    assert!(String::from_utf8_lossy(invite_b.body()).contains("c=IN IP4 192.0.2.1"));

    w.send(bob.addr, &reply(&invite_b, "180 Ringing", "b1", "", ""));
    assert_eq!(status(&w.received(alice.addr)), 180);
    let body = sdp("10.0.0.12", 5000);
    let sent = w.send(bob.addr, &reply(&invite_b, "200 OK", "b1", TYPE, &body));
    let ok = w.received(alice.addr).pop().expect("answered");
    assert_eq!(status(std::slice::from_ref(&ok)), 200);
    let n = ok.cseq();
    let ack = within(&mut alice, "ACK", &ok, Some(n));
    w.send(alice.addr, &ack);
    let acked = sent.into_iter().chain(w.received(bob.addr)).any(|m| m.method_token() == "ACK");
    assert!(acked, "bob gets an ACK");
    assert_eq!((w.metric("calls", ""), w.metric("ports_leased", "")), (1, 2));

    w.advance(Duration::from_secs(3));
    let bye = within(&mut alice, "BYE", &ok, None);
    assert_eq!(status(&w.send(alice.addr, &bye)), 200);
    let bye_b = w.received(bob.addr).pop().expect("bob is told");
    assert_eq!(bye_b.method_token(), "BYE");
    w.send(bob.addr, &reply(&bye_b, "200 OK", "", "", ""));
    assert_eq!(ended(&w), [CdrCause::CallerHungUp]);
    rest(&mut w);
    assert!(w.received(alice.addr).is_empty());
}

#[test]
fn a_number_of_the_other_tenant_does_not_ring() {
    let mut w = World::new(TWO);
    let mut other = Phone::new("1002", "b-two", "beta.example", "10.0.0.99:5060");
    assert_eq!(status(&[other.register(&mut w, "")]), 200);
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    let (text, answers) = invite(&mut w, &mut alice, "1002");
    assert_eq!(status(&answers), 480, "1002 of alpha is not registered");
    w.send(alice.addr, &ack_of(&text, answers.last().expect("a final")));
    assert!(w.received(other.addr).is_empty());
    rest(&mut w);
}

#[test]
fn unknown_numbers_busy_phones_and_declines_reach_the_caller() {
    let mut w = World::new(TWO);
    let (mut alice, bob) = pair(&mut w);
    let (text, answers) = invite(&mut w, &mut alice, "4711");
    assert_eq!(status(&answers), 404);
    w.send(alice.addr, &ack_of(&text, answers.last().expect("a final")));
    for (line, code) in [("486 Busy Here", 486), ("603 Decline", 603)] {
        let (text, _) = invite(&mut w, &mut alice, "1002");
        let ring = w.received(bob.addr).pop().expect("bob rings");
        w.send(bob.addr, &reply(&ring, line, "b", "", ""));
        let last = w.received(alice.addr).pop().expect("an end");
        assert_eq!(status(std::slice::from_ref(&last)), code);
        w.send(alice.addr, &ack_of(&text, &last));
        w.advance(Duration::from_secs(40));
    }
    assert_eq!(ended(&w), [CdrCause::NotFound, CdrCause::Busy, CdrCause::Declined]);
    rest(&mut w);
}

#[test]
fn a_cancel_ends_both_legs_and_is_never_challenged() {
    let mut w = World::new(TWO);
    let (mut alice, bob) = pair(&mut w);
    let (text, _) = invite(&mut w, &mut alice, "1002");
    let ring = w.received(bob.addr).pop().expect("bob rings");
    w.send(bob.addr, &reply(&ring, "180 Ringing", "b", "", ""));
    w.received(alice.addr);
    let cancel = ack_of(&text, &ring).replace("ACK", "CANCEL");
    let cancel =
        cancel.replace(ring.header(HeaderName::To).expect("To"), "<sip:1002@alpha.example>");
    let answers = w.send(alice.addr, &cancel);
    let mut codes: Vec<u16> = answers.iter().filter_map(|m| m.status().map(|s| s.0)).collect();
    codes.sort_unstable();
    assert_eq!(codes, [200, 487]);
    let last = answers.iter().find(|m| m.status().is_some_and(|s| s.0 == 487)).expect("487");
    w.send(alice.addr, &ack_of(&text, last));
    let cancel_b = w.received(bob.addr).pop().expect("bob stops");
    assert_eq!(cancel_b.method_token(), "CANCEL");
    w.send(bob.addr, &reply(&cancel_b, "200 OK", "b", "", ""));
    w.send(bob.addr, &reply(&ring, "487 Request Terminated", "b", "", ""));
    assert_eq!(ended(&w), [CdrCause::Cancelled]);
    rest(&mut w);
}

#[test]
fn echo_answers_and_the_operator_may_hang_up() {
    let mut w = World::new(TWO);
    let (mut alice, _) = pair(&mut w);
    let (_, answers) = invite(&mut w, &mut alice, "600");
    let ok = answers.last().expect("an answer").clone();
    assert_eq!(status(&answers), 200);
    let n = ok.cseq();
    let ack = within(&mut alice, "ACK", &ok, Some(n));
    w.send(alice.addr, &ack);
    let page = w.node.query(w.now, &bitspath_server::Query::Calls { after: None }, 10);
    let [bitspath_server::query::Row::Call(row)] = &page.rows[..] else { panic!("{page:?}") };
    assert_eq!((row.caller.as_str(), row.callee.as_str()), ("1001", "600"));
    w.input(Input::Admin(1, Cmd::HangUp { call: row.call }));
    let bye = w.received(alice.addr).pop().expect("a BYE");
    assert_eq!(bye.method_token(), "BYE");
    w.send(alice.addr, &reply(&bye, "200 OK", "", "", ""));
    rest(&mut w);
    assert_eq!(w.node.audit().0.get("ports_leased"), Some(&0));
}

#[test]
fn the_second_shutdown_ends_calls_with_bye_and_the_node_stops() {
    let mut w = World::new(TWO);
    let (mut alice, _) = pair(&mut w);
    let (_, answers) = invite(&mut w, &mut alice, "600");
    let ok = answers.last().expect("an answer").clone();
    let n = ok.cseq();
    let ack = within(&mut alice, "ACK", &ok, Some(n));
    w.send(alice.addr, &ack);
    w.store();
    w.input(Input::Shutdown { now_end_calls: false });
    assert!(!w.stopped, "the call goes on");
    let mut late = Phone::new("1002", "a-two", "alpha.example", "10.0.0.12:5060");
    let refused = late.call(&mut w, "600");
    assert_eq!(status(std::slice::from_ref(&refused)), 503);
    w.input(Input::Shutdown { now_end_calls: false });
    let bye = w.received(alice.addr).pop().expect("a BYE");
    w.send(alice.addr, &reply(&bye, "200 OK", "", "", ""));
    w.store();
    w.advance(Duration::from_secs(2));
    w.store();
    assert!(w.stopped);
    assert_eq!(ended(&w), [CdrCause::Shutdown]);
}
