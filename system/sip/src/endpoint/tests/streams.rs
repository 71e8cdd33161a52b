//! Connections — RFC 3261 §18; credits of core's network vocabulary.
use super::*;
use bitspath_core::ConnId;
use bitspath_core::limits::{CONN_IN_CREDIT, CONN_OUT_CREDIT};
use bitspath_core::net::{CloseReason, StreamKind};

const ACCEPTED: ConnId = ConnId(2);

fn tcp_flow() -> Flow {
    Flow { transport: Transport::Tcp, ..udp_flow() }
}

impl Bench {
    fn open(&mut self, conn: ConnId, kind: StreamKind) {
        let (listener, peer, local) = (ListenerId(0), addr("192.0.2.77:5060"), addr(SENT_BY));
        self.ep.handle(self.now, NetIn::Opened { conn, listener, peer, local, kind });
    }
    fn data(&mut self, conn: ConnId, text: &str) {
        let bytes = Bytes::from(text.to_string());
        self.ep.handle(self.now, NetIn::Data { conn, bytes });
    }
    fn closed(&mut self, conn: ConnId) {
        self.ep.handle(self.now, NetIn::Closed { conn, reason: CloseReason::Reset });
    }
    fn outputs(&mut self) -> Vec<String> {
        let outputs = core::iter::from_fn(|| self.ep.poll_output());
        outputs
            .map(|out| match out {
                NetOut::Write { conn, bytes } => format!("{} {:?}", conn.0, first_line(&bytes)),
                NetOut::Grant { conn, bytes } => format!("{} grant {bytes}", conn.0),
                NetOut::Connect { conn, peer, .. } => format!("{} connect {peer}", conn.0),
                NetOut::Close { conn, reason } => format!("{} close {reason:?}", conn.0),
                NetOut::Datagram { .. } => "datagram".into(),
            })
            .collect()
    }
}

fn tcp_text(method: &str, branch: &str) -> String {
    request_text(method, branch, 1, "").replace("/UDP", "/TCP").replace('\n', "\r\n")
}

#[test]
fn a_request_makes_a_connection_and_waits_for_it_and_the_next_one_shares_it() {
    //= RFC 3261 §18.1.1 type=test
    let mut b = Bench::new();
    for _ in 0..2 {
        let r = out_request(Method::Options);
        b.ep.request(b.now, OWNER, tcp_flow(), SENT_BY, r).expect("room");
    }
    assert_eq!(b.outputs(), ["1 connect 192.0.2.77:5060"]);
    b.open(ConnId(1), StreamKind::Tcp);
    let line = "1 \"OPTIONS sip:alice@192.0.2.77 SIP/2.0\"";
    assert_eq!(b.outputs(), [&format!("1 grant {CONN_IN_CREDIT}"), line, line]);
    b.pass(40_000);
    assert!(b.outputs().is_empty(), "no retransmission on a reliable transport");
    assert!(b.is_at_rest());
}

#[test]
fn a_refused_connection_fails_its_requests_at_once() {
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, tcp_flow(), SENT_BY, out_request(Method::Invite)).expect("room");
    b.closed(ConnId(1));
    let events = b.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Failed { why: FailWhy::Transport, .. },
                Event::Ended { .. },
                Event::Closed { .. }
            ]
        ),
        "{events:?}"
    );
    assert!(b.is_at_rest() && b.ep.connections() == 0);
}

#[test]
fn answers_go_back_on_the_connection_and_silently_nowhere_when_it_is_gone() {
    //= RFC 3261 §18.2.2 type=test
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    let invite = tcp_text("INVITE", "z9hG4bKa");
    let (head, tail) = invite.split_at(40);
    b.data(ACCEPTED, head);
    b.data(ACCEPTED, tail);
    b.events().retain(|e| matches!(e, Event::Opened { .. }));
    b.outputs();
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKb"));
    let options = b.request();
    b.respond(options, 200);
    assert_eq!(b.outputs(), ["2 grant 254", "2 \"SIP/2.0 200 OK\""]);
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKc").replace("c1", "c3"));
    let late = b.request();
    b.closed(ACCEPTED);
    b.respond(late, 200);
    assert_eq!(b.ep.counters().unsendable, 1);
    assert!(b.ep.request_of(late).is_none());
}

#[test]
fn a_stream_gives_the_same_events_wherever_it_is_cut() {
    let text = format!(
        "\r\n\r\n{}\r\n{}",
        tcp_text("OPTIONS", "z9hG4bKa"),
        tcp_text("INVITE", "z9hG4bKb")
    );
    let mut whole = Bench::new();
    whole.open(ACCEPTED, StreamKind::Tcp);
    whole.data(ACCEPTED, &text);
    let want = whole.events();
    assert_eq!(want.len(), 3);
    for cut in 1..text.len() {
        let mut b = Bench::new();
        b.open(ACCEPTED, StreamKind::Tcp);
        b.data(ACCEPTED, &text[..cut]);
        b.data(ACCEPTED, &text[cut..]);
        assert_eq!(b.events(), want, "cut at {cut}");
        let granted = b.outputs().iter().filter(|o| o.contains("grant")).count();
        assert_eq!(granted, 3);
    }
}

#[test]
fn pings_of_one_delivery_get_one_crlf() {
    //= RFC 5626 §3.5.1 type=test
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    b.outputs();
    b.data(ACCEPTED, "\r\n\r\n\r\n\r\n");
    assert_eq!(b.outputs(), ["2 grant 8", "2 \"\""]);
    assert_eq!(b.ep.counters().pings, 2);
}

#[test]
fn a_stream_that_cannot_be_framed_gets_an_answer_and_is_closed() {
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    b.outputs();
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKa").replace("Content-Length: 0\r\n", ""));
    assert_eq!(b.outputs(), ["2 \"SIP/2.0 400 Bad Request\"", "2 close Shutdown"]);
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKb"));
    assert!(b.outputs().is_empty());
    b.events();
    b.closed(ACCEPTED);
    assert!(matches!(b.events().as_slice(), [Event::Closed { .. }]));
    assert_eq!(b.ep.connections(), 0);
}

#[test]
fn a_message_that_is_too_long_gets_513_and_the_connection_ends_as_such() {
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    b.outputs();
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKa").replace("Length: 0", "Length: 99999"));
    assert_eq!(b.outputs(), ["2 \"SIP/2.0 513 Message Too Large\"", "2 close TooLong"]);
}

#[test]
fn a_peer_that_does_not_read_is_closed_as_slow_and_its_requests_fail() {
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    let flow = Flow { conn: Some(ACCEPTED), ..tcp_flow() };
    b.ep.request(b.now, OWNER, flow, SENT_BY, out_request(Method::Invite)).expect("room");
    let waiting: usize = core::iter::from_fn(|| b.ep.poll_output())
        .map(|out| if let NetOut::Write { bytes, .. } = out { bytes.len() } else { 0 })
        .sum();
    b.ep.handle(b.now, NetIn::Writable { conn: ACCEPTED, bytes_done: waiting as u32 });
    b.events();
    let chunk = Bytes::from(alloc::vec![b'x'; CONN_OUT_CREDIT as usize / 4]);
    for _ in 0..4 {
        b.ep.resend(b.now, flow, chunk.clone());
    }
    assert!(b.events().is_empty());
    b.ep.resend(b.now, flow, Bytes::from_static(b"x"));
    assert_eq!(b.outputs().last().map(String::as_str), Some("2 close Slow"));
    assert!(matches!(b.events()[0], Event::Failed { why: FailWhy::Transport, .. }));
    assert_eq!(b.ep.counters().conns_slow, 1);
}

#[test]
fn a_websocket_frame_is_a_message() {
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Ws { host: "pbx".into(), origin: None });
    b.events();
    b.data(ACCEPTED, &tcp_text("OPTIONS", "z9hG4bKa").replace("Content-Length: 0\r\n", ""));
    let txn = b.request();
    assert_eq!(b.ep.flow_of(txn).map(|f| f.transport), Some(Transport::Ws));
}

#[test]
fn a_request_to_a_peer_that_called_us_uses_its_connection() {
    let mut b = Bench::new();
    b.open(ACCEPTED, StreamKind::Tcp);
    b.outputs();
    b.ep.request(b.now, OWNER, tcp_flow(), SENT_BY, out_request(Method::Options)).expect("room");
    assert_eq!(b.outputs(), ["2 \"OPTIONS sip:alice@192.0.2.77 SIP/2.0\""]);
}

#[test]
fn an_opened_that_crosses_our_close_is_not_reported() {
    let mut b = Bench::new();
    b.ep.request(b.now, OWNER, tcp_flow(), SENT_BY, out_request(Method::Options)).expect("room");
    b.ep.close_conn(b.now, ConnId(1), CloseReason::Shutdown);
    assert!(matches!(b.events()[0], Event::Failed { why: FailWhy::Transport, .. }));
    b.open(ConnId(1), StreamKind::Tcp);
    assert!(b.events().is_empty());
    assert_eq!(b.outputs(), ["1 connect 192.0.2.77:5060", "1 close Shutdown"]);
    b.closed(ConnId(1));
    assert!(b.is_at_rest() && b.ep.connections() == 0);
}

#[test]
fn at_most_so_many_octets_wait_for_a_connection_that_does_not_open() {
    let mut b = Bench::new();
    let chunk = Bytes::from(alloc::vec![b'x'; CONN_OUT_CREDIT as usize]);
    b.ep.resend(b.now, tcp_flow(), chunk);
    b.ep.resend(b.now, tcp_flow(), Bytes::from_static(b"x"));
    assert_eq!(b.outputs(), ["1 connect 192.0.2.77:5060", "1 close Slow"]);
}
