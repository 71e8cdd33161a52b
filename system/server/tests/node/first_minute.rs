//! The answers that every phone needs in its first minute (issue 2, part 5).
use crate::phone::Phone;
use crate::world::{OPEN, TWO, World, at, status};
use bitspath_core::{Bytes, Duration};
use bitspath_sip::{HeaderName, Message};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 0\r\n";

fn phone() -> Phone {
    Phone::new("1001", "x", "example.com", "10.0.0.11:5060")
}

/// The final answer to one request in the tenant without authentication.
fn ask(method: &str, uri: &str, more: &str, body: &str) -> Message {
    let mut w = World::new(OPEN);
    let mut phone = phone();
    let text = phone.request(method, uri, &format!("<{uri}>"), more, body);
    let mut answers = w.send(phone.addr, &text);
    answers.retain(|m| m.status().is_some_and(|s| s.is_final()));
    let answer = answers.pop().expect("a final answer");
    if method == "INVITE" {
        let ack = text.replacen("INVITE", "ACK", 1).replace(" INVITE\r\n", " ACK\r\n");
        w.send(phone.addr, &ack);
    }
    w.advance(Duration::from_secs(64));
    w.at_rest();
    answer
}

fn code(msg: &Message) -> u16 {
    status(std::slice::from_ref(msg))
}

//= RFC 3261 §11.2 type=test
#[test]
fn options_to_the_server_tells_what_works_and_names_no_user() {
    let ok = ask("OPTIONS", "sip:192.0.2.1", "Accept: application/sdp\r\n", "");
    assert_eq!(code(&ok), 200);
    let allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER";
    assert_eq!(ok.header(HeaderName::Allow), Some(allow));
    assert_eq!(ok.header(HeaderName::Accept), Some("application/sdp"));
    assert_eq!(ok.header(HeaderName::Supported), Some(""));
    assert!(!ok.bytes().windows(9).any(|w| w == b"Contact: "));
}

#[test]
fn options_to_the_server_is_never_challenged_but_to_a_user_it_is() {
    let mut w = World::new(TWO);
    let mut p = Phone::new("nobody", "", "198.51.100.1", "198.51.100.1:5060");
    let text = p.request("OPTIONS", "sip:alpha.example", "<sip:alpha.example>", "", "");
    assert_eq!(status(&w.send(p.addr, &text)), 200);
    for user in ["1001", "9999"] {
        let uri = format!("sip:{user}@alpha.example");
        let text = p.request("OPTIONS", &uri, &format!("<{uri}>"), "", "");
        assert_eq!(status(&w.send(p.addr, &text)), 401, "{user}");
    }
}

//= RFC 3261 §11.2 type=test
#[test]
fn options_to_a_user_gets_what_a_call_would() {
    assert_eq!(code(&ask("OPTIONS", "sip:600@example.com", "", "")), 200);
    assert_eq!(code(&ask("OPTIONS", "sip:9999@example.com", "", "")), 404);
    assert_eq!(code(&ask("OPTIONS", "sip:1001@example.com", "", "")), 480);
}

//= RFC 6665 §4.2.1.1 type=test
#[test]
fn methods_that_do_not_work_are_refused_by_name() {
    let subscribe = ask("SUBSCRIBE", "sip:600@example.com", "Event: presence\r\n", "");
    assert_eq!(code(&subscribe), 489);
    assert!(subscribe.has(HeaderName::AllowEvents));
    for method in ["MESSAGE", "REFER", "PUBLISH", "NOTIFY", "INFO", "UPDATE", "PRACK"] {
        let answer = ask(method, "sip:600@example.com", "", "");
        assert_eq!(code(&answer), 405, "{method}");
        assert!(answer.header(HeaderName::Allow).is_some_and(|a| !a.contains(method)));
    }
    let answer = ask("NEWMETHOD", "sip:600@example.com", "", "");
    assert_eq!(code(&answer), 501);
    assert!(answer.has(HeaderName::Allow));
}

//= RFC 3261 §8.2.2.3 type=test
#[test]
fn a_required_extension_that_we_lack_is_named() {
    let answer = ask("INVITE", "sip:600@example.com", "Require: 100rel, timer\r\n", SDP);
    assert_eq!(code(&answer), 420);
    assert_eq!(answer.header(HeaderName::Unsupported), Some("100rel, timer"));
    let answer = ask("REGISTER", "sip:example.com", "Require: outbound\r\n", "");
    assert_eq!(code(&answer), 420);
}

//= RFC 3261 §8.2.3 type=test
//= RFC 3261 §20.1 type=test
#[test]
fn a_body_of_another_kind_is_refused_with_what_we_read() {
    let answer = ask("INVITE", "sip:600@example.com", "Content-Type: text/plain\r\n", "hello");
    assert_eq!(code(&answer), 415);
    assert_eq!(answer.header(HeaderName::Accept), Some("application/sdp"));
    let zipped = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n";
    let answer = ask("INVITE", "sip:600@example.com", zipped, "x");
    assert_eq!((code(&answer), answer.header(HeaderName::AcceptEncoding)), (415, Some("identity")));
    let optional = "Content-Type: text/plain\r\nContent-Disposition: x; handling=optional\r\n";
    assert_eq!(code(&ask("INVITE", "sip:9999@example.com", optional, "hello")), 404);
    let picky = "Content-Type: application/sdp\r\nAccept: text/plain\r\n";
    assert_eq!(code(&ask("INVITE", "sip:600@example.com", picky, SDP)), 406);
}

#[test]
fn a_request_within_no_dialog_gets_481_unchallenged() {
    let mut w = World::new(TWO);
    let mut p = Phone::new("1001", "", "alpha.example", "10.0.0.11:5060");
    for method in ["BYE", "INVITE", "INFO", "NOTIFY", "UPDATE", "REFER", "OPTIONS"] {
        let to = "<sip:1002@alpha.example>;tag=gone";
        let text = p.request(method, "sip:x@192.0.2.1", to, "", "");
        assert_eq!(status(&w.send(p.addr, &text)), 481, "{method}");
    }
    let text = p.request("BYE", "sip:600@192.0.2.1", "<sip:600@alpha.example>", "", "");
    assert_eq!(status(&w.send(p.addr, &text)), 401, "out of a dialog it is like all else");
}

//= RFC 3261 §16.3 type=test
#[test]
fn no_hops_left_is_483_but_not_for_what_ends_here() {
    let zero = |method: &str, uri: &str| {
        let mut w = World::new(OPEN);
        let mut p = phone();
        let text = p.request(method, uri, &format!("<{uri}>"), "", "");
        let text = text.replace("Max-Forwards: 70", "Max-Forwards: 0");
        status(&w.send(p.addr, &text))
    };
    assert_eq!(zero("INVITE", "sip:600@example.com"), 483);
    assert_eq!(zero("OPTIONS", "sip:600@example.com"), 483);
    assert_eq!(zero("OPTIONS", "sip:example.com"), 200);
    let register = zero("REGISTER", "sip:example.com");
    assert!(register != 483 && register != 0, "{register}");
}

#[test]
fn the_same_request_by_two_ways_is_merged() {
    let mut w = World::new(OPEN);
    let mut p = phone();
    let uri = "sip:9999@example.com";
    let text = p.request("INVITE", uri, &format!("<{uri}>"), "", "");
    assert_eq!(status(&w.send(p.addr, &text)), 404);
    let other = text.replace("branch=z9hG4bK-", "branch=z9hG4bK-other-");
    assert_eq!(status(&w.send(p.addr, &other)), 482);
}

#[test]
fn what_is_not_sip_gets_no_answer_and_costs_nothing() {
    let mut w = World::new(OPEN);
    let peer = at("198.51.100.9:999");
    for junk in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"hello", &[0xff; 2000]] {
        w.datagram(peer, Bytes::copy_from_slice(junk));
    }
    assert!(w.raw(peer).iter().all(|b| b.len() <= 4));
    w.at_rest();
}

#[test]
fn guests_reach_the_services_and_nothing_else() {
    let text = TWO.replacen("name = \"alpha\"", "name = \"alpha\"\nguests = [\"127.0.0.0/8\"]", 1);
    let mut w = World::new(&text);
    let call = |w: &mut World, from: &str, number: &str| {
        let mut p = Phone::new("sipp", "", "192.0.2.1", from);
        p.call_id = format!("{from}-{number}");
        let uri = format!("sip:{number}@192.0.2.1");
        let sdp = "Content-Type: application/sdp\r\n";
        let text = p.request("INVITE", &uri, &format!("<{uri}>"), sdp, SDP);
        status(&w.send(p.addr, &text))
    };
    assert_eq!(call(&mut w, "127.0.0.1:5090", "600"), 200);
    assert_eq!(call(&mut w, "127.0.0.1:5090", "1001"), 401);
    assert_eq!(call(&mut w, "10.0.0.66:5090", "600"), 401);
    assert_eq!(w.metric("auth_total", "guest"), 1);
}
