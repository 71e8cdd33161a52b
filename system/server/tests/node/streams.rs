//! Connections: registrations die with them, and the name they were opened to tells the tenant.
use crate::phone::Phone;
use crate::world::{PBX, TWO, World, at, ip, status};
use bitspath_core::net::{CloseReason, StreamKind};
use bitspath_core::{Bytes, ConnId, ListenerId, NetIn, NetOut};
use bitspath_server::{Input, Output};
use bitspath_sip::Message;
use std::net::SocketAddr;

fn open(w: &mut World, conn: u64, peer: &str, kind: StreamKind) {
    let local = SocketAddr::new(ip(PBX), 5060);
    let (conn, peer) = (ConnId(conn), at(peer));
    w.input(Input::Net(NetIn::Opened { conn, listener: ListenerId(1), peer, local, kind }));
}

/// Sends on a connection; what was written to it.
fn send(w: &mut World, conn: u64, text: &str) -> Vec<Message> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    w.input(Input::Net(NetIn::Data { conn: ConnId(conn), bytes }));
    let written = |o: &Output| match o {
        Output::Net(NetOut::Write { conn: to, bytes }) if *to == ConnId(conn) => {
            Message::parse(bytes.clone()).ok()
        }
        _ => None,
    };
    let out = w.outputs.iter().filter_map(written).collect();
    w.outputs.clear();
    out
}

fn over_tcp(text: &str) -> String {
    text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace("5060>", "5060;transport=tcp>")
}

#[test]
fn a_registration_over_tcp_dies_with_its_connection() {
    let mut w = World::new(TWO);
    let mut alice = Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060");
    open(&mut w, 2, "10.0.0.11:40000", StreamKind::Tcp);
    let text = over_tcp(&alice.register_text(""));
    let (head, tail) = text.split_at(text.len() / 2);
    assert!(send(&mut w, 2, head).is_empty(), "half a message is no message");
    let challenge = send(&mut w, 2, tail).remove(0);
    alice.authorization = Some(alice.answer(&challenge, "REGISTER", "sip:alpha.example"));
    let text = over_tcp(&alice.register_text(""));
    assert_eq!(status(&send(&mut w, 2, &text)), 200);
    assert_eq!((w.metric("registrations", ""), w.metric("connections", "")), (1, 1));
    w.input(Input::Net(NetIn::Closed { conn: ConnId(2), reason: CloseReason::Reset }));
    assert_eq!((w.metric("registrations", ""), w.metric("connections", "")), (0, 0));
}

#[test]
fn the_name_a_connection_was_opened_to_tells_the_tenant_when_from_does_not() {
    let mut w = World::new(TWO);
    let kinds = [
        (StreamKind::Tcp, "alpha.example"),
        (StreamKind::Tls { sni: Some("beta.example".into()) }, "beta.example"),
        (StreamKind::Ws { host: "BETA.example:5066".into(), origin: None }, "beta.example"),
    ];
    for (n, (kind, realm)) in kinds.into_iter().enumerate() {
        let conn = 2 * (n as u64 + 1);
        open(&mut w, conn, &format!("10.0.0.{n}:40000"), kind);
        let mut phone = Phone::new("1001", "", "192.0.2.1", &format!("10.0.0.{n}:5060"));
        let answer = send(&mut w, conn, &over_tcp(&phone.register_text(""))).remove(0);
        let line = answer.header(bitspath_sip::HeaderName::WwwAuthenticate).expect("a challenge");
        assert!(line.contains(&format!("realm=\"{realm}\"")), "{line}");
    }
    // A From that names a tenant wins over the connection.
    let mut phone = Phone::new("1001", "", "alpha.example", "10.0.0.77:5060");
    let answer = send(&mut w, 4, &over_tcp(&phone.register_text(""))).remove(0);
    let line = answer.header(bitspath_sip::HeaderName::WwwAuthenticate).expect("a challenge");
    assert!(line.contains("realm=\"alpha.example\""), "{line}");
}
