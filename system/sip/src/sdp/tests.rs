//! Properties of the parser and of the border between two legs; examples from the standards.
mod border;
mod exchange;
mod golden;
mod text;

use super::*;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

/// The description of RFC 4566 §5, as it is printed there.
const SEMINAR: &str = "v=0\r\n\
    o=jdoe 2890844526 2890842807 IN IP4 10.47.16.5\r\n\
    s=SDP Seminar\r\n\
    i=A Seminar on the session description protocol\r\n\
    u=http://www.example.com/seminars/sdp.pdf\r\n\
    e=j.doe@example.com (Jane Doe)\r\n\
    c=IN IP4 224.2.17.12/127\r\n\
    t=2873397496 2873404696\r\n\
    a=recvonly\r\n\
    m=audio 49170 RTP/AVP 0\r\n\
    m=video 51372 RTP/AVP 99\r\n\
    a=rtpmap:99 h263-1998/90000\r\n";

fn parsed(text: &str) -> Session {
    Session::parse(text.as_bytes()).expect("a valid description")
}

/// A phone's offer with the given m-section.
fn offer(sections: &str) -> Session {
    parsed(&format!(
        "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n{sections}"
    ))
}

fn ours() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10))
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9-]{0,7}"
}

fn value() -> impl Strategy<Value = String> {
    "[ -~äø]{0,24}".prop_filter("trailing blanks are cut", |s| s.trim_end() == s)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|o| IpAddr::V4(Ipv4Addr::from(o))),
        any::<[u8; 16]>().prop_map(|o| IpAddr::V6(Ipv6Addr::from(o))),
    ]
}

fn connections() -> impl Strategy<Value = Connection> {
    let host = "[a-z]{2,8}\\.[a-z]{2,8}\\.example";
    let named = host.prop_map(|address| Connection {
        network: "IN".to_string(),
        family: "IP4".to_string(),
        address,
    });
    prop_oneof![4 => ip().prop_map(Connection::of), 1 => named]
}

fn lines(letters: &'static [char]) -> impl Strategy<Value = Vec<Line>> {
    let line = (prop::sample::select(letters), value());
    prop::collection::vec(line.prop_map(|(letter, value)| Line { letter, value }), 0..3)
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    let any_at_all =
        (word(), prop::option::of(value())).prop_map(|(name, value)| Attribute { name, value });
    let map = (any::<u8>(), word(), any::<u32>())
        .prop_map(|(pt, name, rate)| Attribute::with("rtpmap", format!("{pt} {name}/{rate}")));
    let leak = (word(), connections(), any::<u16>()).prop_map(|(name, c, port)| {
        Attribute::with(&name, format!("x{}:{port} {}", c.address, c.address))
    });
    let rtcp = (any::<u16>(), ip()).prop_map(|(p, ip)| {
        Attribute::with("rtcp", format!("{p} IN IP{} {ip}", if ip.is_ipv4() { 4 } else { 6 }))
    });
    let candidate = (ip(), any::<u16>()).prop_map(|(ip, port)| {
        Attribute::with("candidate", format!("1 1 UDP 2130706431 {ip} {port} typ host"))
    });
    let keys = Just(Attribute::with("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0"));
    let way = prop::sample::select(&Direction::ALL[..]).prop_map(|d| Attribute::flag(d.as_str()));
    let one = prop_oneof![any_at_all, map, leak, rtcp, candidate, keys, way];
    prop::collection::vec(one, 0..6)
}

fn media() -> impl Strategy<Value = Media> {
    let kind = prop::sample::select(vec!["audio", "video", "text", "image", "application"]);
    let proto = prop::sample::select(vec!["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"]);
    let formats = prop::collection::vec(any::<u8>().prop_map(|n| n.to_string()), 0..5);
    let head = (kind, any::<u16>(), prop::option::of(1u16..9), proto, formats);
    let tail = (
        lines(&['i', 'k', 'q']),
        prop::collection::vec(connections(), 0..2),
        prop::collection::vec(value(), 0..2),
        attributes(),
    );
    (head, tail).prop_map(|(head, (rest, connections, bandwidth, attributes))| Media {
        kind: head.0.to_string(),
        port: head.1,
        port_count: head.2,
        proto: head.3.to_string(),
        formats: head.4,
        rest,
        connections,
        bandwidth,
        attributes,
    })
}

fn sessions() -> impl Strategy<Value = Session> {
    let origin = (word(), any::<u64>(), any::<u64>(), connections()).prop_map(|(u, id, v, c)| {
        Origin { username: u, session_id: id, session_version: v, connection: c }
    });
    let timing = lines(&['t', 'r', 'z']).prop_map(|mut list| {
        list.insert(0, Line { letter: 't', value: "0 0".to_string() });
        list
    });
    let head = (origin, value(), lines(&['i', 'u', 'e', 'p']), prop::option::of(connections()));
    let middle = (prop::collection::vec(value(), 0..2), timing, lines(&['k', 'x', 'Z']));
    let tail = (attributes(), prop::collection::vec(media(), 0..4));
    (head, middle, tail).prop_map(|(head, (bandwidth, timing, rest), tail)| Session {
        origin: head.0,
        name: head.1,
        notes: head.2,
        connection: head.3,
        bandwidth,
        timing,
        rest,
        attributes: tail.0,
        media: tail.1,
    })
}
