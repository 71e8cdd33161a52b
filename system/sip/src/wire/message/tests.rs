use super::*;
use crate::wire::{Body, OutRequest, OutResponse};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP a.com;branch=z9hG4bK1, SIP/2.0/TCP b.com\r\n\
    v: SIP/2.0/TLS c.com\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.com>\r\n\
    From: \"A, B\" <sip:alice@atlanta.com>;tag=1928\r\n\
    Call-ID: a84b4c76e66710@pc33\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:alice@pc33>;q=0.5,\r\n <sip:alice@pc34>\r\n\
    X-Own: one\r\n\
    Content-Type: Application / SDP;charset=x\r\n\
    Content-Length: 3\r\n\r\nv=0";

fn parse(text: &str) -> Result<Message, Rejected> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn verdict(text: &str) -> Option<u16> {
    parse(text).err().and_then(|r| r.status).map(|s| s.0)
}

#[test]
fn the_views_of_a_request() {
    let m = parse(INVITE).expect("valid");
    assert_eq!((m.method(), m.method_token(), m.status()), (Method::Invite, "INVITE", None));
    assert_eq!(m.uri().map(|u| (u.user, u.host)), Some((Some("bob"), "biloxi.com")));
    assert_eq!((m.from_tag(), m.to_tag()), (Some("1928"), None));
    assert_eq!((m.call_id(), m.cseq()), ("a84b4c76e66710@pc33", 314_159));
    assert_eq!((m.max_forwards(), m.expires()), (Some(70), None));
    let vias: Vec<_> = m.vias().collect();
    assert_eq!(
        vias,
        ["SIP/2.0/UDP a.com;branch=z9hG4bK1", "SIP/2.0/TCP b.com", "SIP/2.0/TLS c.com"]
    );
    assert_eq!(m.top_via().branch(), Some("z9hG4bK1"));
    let Contacts::List(contacts) = m.contacts() else { panic!("a list") };
    let contacts: Vec<_> = contacts.map(|c| (c.uri_text, c.q())).collect();
    assert_eq!(contacts, [("sip:alice@pc33", Some(500)), ("sip:alice@pc34", None)]);
    assert_eq!(
        (m.header_by_name("x-own"), m.header_by_name("I")),
        (Some("one"), Some(m.call_id()))
    );
    assert_eq!((m.header_by_name("x"), m.lines().count()), (None, 11));
    assert!(m.is_content_type("application/sdp") && !m.is_content_type("application/sdpx"));
    assert_eq!((m.body(), &m.body_bytes()[..]), (&b"v=0"[..], &b"v=0"[..]));
    assert_eq!(m.from().display_name().as_deref(), Some("A, B"));
}

#[test]
fn the_views_of_a_response() {
    let text = INVITE.replace("INVITE sip:bob@biloxi.com SIP/2.0", "SIP/2.0 180 Ring  it");
    let m = parse(&text).expect("valid");
    assert_eq!((m.status(), m.reason()), (Some(Status(180)), "Ring  it"));
    assert_eq!((m.method(), m.method_token(), m.uri_text()), (Method::Invite, "INVITE", ""));
    assert!(m.uri().is_none() && !m.is_request());
}

#[test]
fn a_message_freezes_as_its_bytes() {
    let m = parse(INVITE).expect("valid");
    let frozen = bitspath_core::freeze::freeze(&m);
    let thawed: Message = bitspath_core::freeze::thaw(&frozen.0).expect("thaws");
    assert_eq!((thawed.to_string(), &thawed), (m.to_string(), &m));
}

/// Each line replaced, and what is said of it.
//= RFC 3261 §8.1.1.5 type=test
//= RFC 3261 §8.2.2.1 type=test
//= RFC 3261 §18.3 type=test
#[test]
fn every_header_that_we_act_on_is_judged() {
    for (line, status) in [
        ("Max-Forwards: 256", Some(400)),
        ("Max-Forwards: 7 0", Some(400)),
        ("Max-Forwards:", Some(400)),
        ("Max-Forwards: 070", None),
        ("Expires: x", Some(400)),
        ("Expires: 99999999999", None),
        ("To: <sip:x@y>", Some(400)),
        ("CSeq: 1 INVITE", Some(400)),
        ("Content-Length: 3", Some(400)),
        ("Route: <sip:a@b>, <sip:c", Some(400)),
        ("Route: <sip:a;lr>,<sip:b;lr>", None),
        ("Record-Route: <sip:a>,,<sip:b>", Some(400)),
        ("Contact: *", Some(400)),
        ("Via: SIP/2.0/UDP", Some(400)),
        ("No colon", Some(400)),
        ("@: y", Some(400)),
        (" folded: y", Some(400)),
        ("X: a\rb", Some(400)),
        ("X: a\nb", Some(400)),
        ("X: a\x01b", Some(400)),
        ("X: \"a\\\x01b\"", None),
        ("X: tab\tand \u{65e5}\u{672c}", None),
        ("X-Y!%*_+`'~.:z", None),
    ] {
        let text = INVITE.replace("Max-Forwards: 70", line);
        assert_eq!(verdict(&text), status, "{line:?}");
    }
    for (from, to, status) in [
        ("CSeq: 314159", "CSeq: 2147483648", Some(400)),
        ("CSeq: 314159", "CSeq: 2147483647", None),
        ("CSeq: 314159", "CSeq: -1", Some(400)),
        ("CSeq: 314159 INVITE", "CSeq: 314159", Some(400)),
        ("CSeq: 314159 INVITE", "CSeq: 314159 INVITE x", Some(400)),
        ("CSeq: 314159 INVITE", "CSeq: 314159 invite", Some(400)),
        ("CSeq: 314159 INVITE", "CSeq: 314159 BYE", Some(400)),
        ("a84b4c76e66710@pc33", "a b", Some(400)),
        ("a84b4c76e66710@pc33", "a@", Some(400)),
        ("a84b4c76e66710@pc33", "a@b@c", Some(400)),
        ("a84b4c76e66710@pc33", "", Some(400)),
        ("sip:bob@biloxi.com SIP", "sip:bob@biloxi.com;a= SIP", Some(400)),
        ("sip:bob@biloxi.com SIP", "fax:bob SIP", Some(416)),
        ("sip:bob@biloxi.com SIP", "tel:+1 SIP", None),
        ("com SIP/2.0", "com SIP/3.0", Some(505)),
        ("com SIP/2.0", "com sip/2.0", None),
        ("com SIP/2.0", "com HTTP/1.1", Some(400)),
        ("com SIP/2.0", "com", Some(400)),
        ("Bob <", "Bob, B <", Some(400)),
        ("Content-Length: 3", "Content-Length: 4", Some(400)),
        ("Content-Length: 3", "Content-Length: 2", None),
        ("Content-Length: 3", "Content-Length: 99999999999999999999", Some(400)),
        ("pc33>;q=0.5,", "pc33>;q=0.5,,", Some(400)),
        ("\r\n\r\nv=0", "\r\n", Some(400)),
    ] {
        assert!(INVITE.contains(from), "{from}");
        assert_eq!(verdict(&INVITE.replacen(from, to, 1)), status, "{from} -> {to}");
    }
}

//= RFC 3261 §18.3 type=test
#[test]
fn octets_beyond_the_announced_length_are_no_body() {
    let m = parse(&INVITE.replace("Content-Length: 3", "Content-Length: 2")).expect("valid");
    assert_eq!(m.body(), b"v=");
    let m = parse(&INVITE.replace("Content-Length: 3\r\n", "")).expect("valid");
    assert_eq!(m.body(), b"v=0", "without a length the body ends with the datagram");
}

//= RFC 3261 §7.5 type=test
#[test]
fn empty_lines_before_the_start_line_are_passed_over() {
    let m = parse(&["\r\n\r\n", INVITE].concat()).expect("valid");
    assert_eq!(m, parse(INVITE).expect("valid"));
}

#[test]
fn what_nobody_can_answer_is_dropped() {
    let drop = |text: &str| parse(text).err().map(|r| r.status);
    assert_eq!(drop(&INVITE.replace("INVITE", "ACK").replace("70", "x")), Some(None));
    assert_eq!(
        drop(&INVITE.replace("INVITE sip:bob@biloxi.com SIP/2.0", "SIP/2.0 99 x")),
        Some(None)
    );
    assert_eq!(drop(&INVITE.replace("Via: S", "Via: /")), Some(None));
    assert_eq!(drop("INVITE sip:a SIP/2.0\r\n\r\n"), Some(None));
    assert_eq!(drop(""), Some(None));
    assert_eq!(parse(&"a".repeat(65_536)).err().map(|r| r.offset), Some(65_535));
}

#[test]
fn a_rejection_brings_what_a_stateless_answer_needs() {
    let rejected = parse(&INVITE.replace("Max-Forwards: 70", "Max-Forwards: x")).expect_err("400");
    assert_eq!(rejected.to_string(), "400, offset 130, expected number up to 255");
    let partial = rejected.partial.expect("indexed");
    let answer = OutResponse { to_tag: Some("t".into()), ..OutResponse::new(Status::BAD_REQUEST) };
    let answer = Message::parse(answer.emit(&partial, false)).expect("our own answer is valid");
    assert_eq!((answer.vias().count(), answer.cseq()), (3, 314_159));
    assert_eq!((answer.to_tag(), answer.from_tag()), (Some("t"), Some("1928")));
}

#[test]
fn limits_are_refused_and_not_followed() {
    let many = "Q: y\r\n".repeat(119);
    let text = |n: usize| INVITE.replace("X-Own: one\r\n", &many[..n * 6]);
    assert_eq!(verdict(&text(118)), None);
    assert_eq!(verdict(&text(119)), Some(400));
    let vias = |n: usize| {
        let list = ["SIP/2.0/UDP a"].repeat(n).join(",");
        INVITE.replace("SIP/2.0/TLS c.com", &list)
    };
    assert_eq!(verdict(&vias(68)), None);
    assert_eq!(verdict(&vias(69)), Some(400));
}

fn out_request() -> impl Strategy<Value = OutRequest> {
    let head = (
        "sips?:([a-z%0-9]{0}[a-z]{1,5}@)?[a-z]{1,5}(:[1-9]{1,4})?(;lr)?",
        0u32..1 << 31,
        any::<u8>(),
    );
    let list = proptest::collection::vec("<sip:[a-z]{1,5};lr>", 0..3);
    let body = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let text = "[^\\pC]{0,12}";
    (head, list, body, text, "[a-z0-9]{1,9}", proptest::option::of("<sip:[a-z]{1,5}>")).prop_map(
        |((uri, cseq, max_forwards), routes, body, name, tag, contact)| OutRequest {
            method: Method::KNOWN[cseq as usize % Method::KNOWN.len()],
            from: format!("{} <{uri}>;tag={tag}", crate::wire::params::quote(&name)),
            to: format!("<{uri}>"),
            call_id: format!("{tag}@h"),
            extra: vec![(HeaderName::Subject, name)],
            body: body.map(|b| Body { content_type: "a/b".into(), bytes: b.into() }),
            uri,
            routes,
            cseq,
            contact,
            max_forwards,
        },
    )
}

proptest! {
    #[test]
    fn what_was_emitted_parses_to_the_same(out in out_request()) {
        let bytes = out.emit("SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport");
        let m = Message::parse(bytes.clone());
        prop_assert!(m.is_ok(), "{:?}", m);
        let m = m.expect("ok");
        prop_assert_eq!((m.method(), m.uri_text(), m.cseq()), (out.method, &out.uri[..], out.cseq));
        prop_assert_eq!((m.from().text, m.to().text), (&out.from[..], &out.to[..]));
        prop_assert_eq!(m.header(HeaderName::Subject), Some(out.extra[0].1.trim_matches(' ')));
        prop_assert_eq!(m.list(HeaderName::Route).collect::<Vec<_>>(), out.routes);
        prop_assert_eq!(m.contacts().first().map(|c| c.text), out.contact.as_deref());
        let hops = Some(out.max_forwards);
        prop_assert_eq!((m.max_forwards(), m.call_id()), (hops, &out.call_id[..]));
        prop_assert_eq!(m.body(), out.body.as_ref().map_or(&[][..], |b| &b.bytes[..]));
        // Typed re-emission of every line gives the same octets.
        let mut again = crate::wire::Emit::request(m.method_token(), m.uri_text());
        for (name, value) in m.lines() {
            if !name.starts_with("Content-") {
                again.raw(name, value);
            }
        }
        let body = out.body.as_ref().map(|b| (&b.content_type[..], &b.bytes[..]));
        let again = Message::parse(again.finish(body)).map(|m| m.to_string());
        prop_assert_eq!(again.ok(), Some(m.to_string()));
    }

    #[test]
    fn a_response_copies_what_the_rfc_says(out in out_request(), code in 100u16..700, tag in "[a-z]{1,5}") {
        let request = Message::parse(out.emit("SIP/2.0/UDP h;branch=z9hG4bKx")).expect("valid");
        let response = OutResponse { to_tag: Some(tag.clone()), ..OutResponse::new(Status(code)) };
        let m = Message::parse(response.emit(&request, true)).expect("valid");
        prop_assert_eq!(m.status(), Some(Status(code)));
        prop_assert_eq!((m.cseq(), m.method()), (out.cseq, out.method));
        prop_assert_eq!((m.call_id(), m.from().text), (request.call_id(), request.from().text));
        prop_assert_eq!((m.to_tag(), m.top_via().text), (Some(&tag[..]), request.top_via().text));
    }

    #[test]
    fn arbitrary_octets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let all = [INVITE.as_bytes().get(..100).unwrap_or(&[]), &bytes].concat();
        for text in [bytes, all] {
            if let Err(Rejected { partial: Some(m), .. }) = Message::parse(text.into()) {
                let _ = (m.to_string(), m.uri(), m.vias().count(), m.lines().count());
            }
        }
    }
}

#[test]
fn a_message_cut_at_any_octet_is_rejected() {
    for cut in 0..INVITE.len() {
        let rejected = parse(&INVITE[..cut]).expect_err("the body is short");
        assert!(rejected.offset <= cut, "{cut}: {rejected}");
    }
}

/// A transaction keeps one of these; what the index costs is bounded.
#[test]
fn a_message_is_bytes_and_a_small_index() {
    assert!(size_of::<Message>() <= 576, "{}", size_of::<Message>());
    assert!(size_of::<Rejected>() <= 64);
}

#[test]
fn a_fold_reads_as_one_space() {
    assert_eq!(unfold("a,\r\n   b \r\n\tc"), "a, b c");
    assert_eq!(unfold("a  b"), "a  b");
}
