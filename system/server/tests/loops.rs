//! Our own INVITE, come round to us through somebody else's forwarding, is 482 and not a new call.
#![allow(clippy::expect_used, clippy::panic)]
#[path = "node/phone.rs"]
mod phone;
#[path = "node/world.rs"]
mod world;

use bitspath_core::Duration;
use phone::{Phone, ack_of};
use world::{World, status};

const CONFIG: &str = r#"
[listen]
udp = ["0.0.0.0:5060"]
[media]
ports = "20000-20999"
[[tenant]]
name = "open"
domains = ["example.com"]
authentication = false
[[tenant.extension]]
number = "1001"
password = "x"
[[tenant.extension]]
number = "1002"
password = "x"
"#;
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\n";

#[test]
//= RFC 3261 §8.2.2.2 type=test
fn our_own_invite_that_a_proxy_sends_back_is_482_and_rings_nobody() {
    let mut w = World::new(CONFIG);
    let mut alice = Phone::new("1001", "x", "example.com", "10.0.0.11:5060");
    let mut proxy = Phone::new("1002", "x", "example.com", "10.0.0.12:5060");
    assert_eq!(status(&[proxy.register(&mut w, "")]), 200);
    let uri = "sip:1002@example.com";
    let more = "Content-Type: application/sdp\r\n";
    let invite = alice.request("INVITE", uri, "<sip:1002@example.com>", more, OFFER);
    assert_eq!(status(&w.send(alice.addr, &invite)), 100);
    let ours = w.received(proxy.addr).pop().expect("the proxy is rung");

    // The proxy forwards what it got to the number again: same Call-ID and From, a Via more.
    let text = String::from_utf8_lossy(ours.bytes()).into_owned();
    let (_, rest) = text.split_once("\r\n").expect("a request line");
    let back = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.12:5060;branch=z9hG4bKround\r\n{rest}"
    );
    let answers = w.send(proxy.addr, &back);
    assert_eq!(status(&answers), 482);
    w.send(proxy.addr, &ack_of(&back, answers.last().expect("a final")));
    assert_eq!(w.metric("calls", ""), 1);

    // The proxy gives up, and so does the caller's attempt.
    let mut reply = String::from("SIP/2.0 482 Loop Detected\r\n");
    for line in rest
        .lines()
        .filter(|l| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| l.starts_with(name)))
    {
        reply.push_str(&format!("{line}\r\n"));
    }
    let to = ours.header(bitspath_sip::HeaderName::To).expect("a To");
    reply.push_str(&format!("To: {to};tag=proxy\r\nContent-Length: 0\r\n\r\n"));
    w.send(proxy.addr, &reply);
    let end = w.received(alice.addr).pop().expect("an end");
    assert_eq!(status(std::slice::from_ref(&end)), 482);
    w.send(alice.addr, &ack_of(&invite, &end));
    w.advance(Duration::from_secs(70));
    w.at_rest_but(&["registrations", "bindings", "aors", "kept-alive flows"]);
}
