//! What cannot be accepted, and where answers go — RFC 3261 §8.2.7, §17.1.1.1, §18.2; RFC 3581.
use super::*;
use bitspath_core::Table;
use std::{env, fs, path::Path};

#[test]
fn a_malformed_request_is_answered_without_state_and_alike_each_time() {
    //= RFC 3261 §8.2.7 type=test
    let mut b = Bench::new();
    let bad = request_text("OPTIONS", "z9hG4bKa", 1, "").replace("CSeq: 1", "CSeq: x");
    b.receive(&bad);
    b.receive(&bad);
    let sent = b.datagrams();
    assert_eq!(first_line(&sent[0].1), "SIP/2.0 400 Bad Request");
    assert_eq!(sent[0], sent[1]);
    assert!(b.events().is_empty() && b.is_at_rest());
    assert_eq!(b.ep.counters().rejected_answered, 2);
}

//= RFC 3261 §21.5.6 type=test
#[test]
fn another_version_gets_505() {
    let mut b = Bench::new();
    b.receive(&request_text("OPTIONS", "z9hG4bKa", 1, "").replacen("SIP/2.0", "SIP/7.0", 1));
    assert_eq!(b.sent(), ["SIP/2.0 505 Version Not Supported"]);
}

#[test]
fn a_malformed_ack_or_response_is_never_answered() {
    //= RFC 3261 §17.1.1.1 type=test
    let mut b = Bench::new();
    b.receive(&request_text("ACK", "z9hG4bKa", 1, "").replace("Call-ID", "X-ID"));
    b.receive("SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\nCSeq: 1\n\n");
    b.receive("hello, is anybody there?");
    assert!(b.datagrams().is_empty() && b.events().is_empty());
    let c = *b.ep.counters();
    assert_eq!(c.rejected_dropped + c.garbage, 3, "{c:?}");
    assert!(c.rejected_dropped >= 2);
}

#[test]
fn the_brim_of_the_table_is_a_503_with_retry_after() {
    let mut b = Bench::new();
    b.ep.table = Table::new(1);
    b.receive(&request_text("OPTIONS", "z9hG4bKa", 1, ""));
    b.receive(&request_text("OPTIONS", "z9hG4bKb", 2, ""));
    assert_eq!(b.events().len(), 1);
    let (_, full) = b.datagrams().pop().expect("503");
    let full = Message::parse(full).expect("ours");
    assert_eq!(full.status(), Some(Status::SERVICE_UNAVAILABLE));
    assert!(full.has(crate::HeaderName::RetryAfter));
    let refused = b.ep.request(b.now, OWNER, udp_flow(), SENT_BY, out_request(Method::Bye));
    assert!(refused.is_err());
    assert_eq!((b.ep.counters().refused_full, b.ep.counters().requests_full), (1, 1));
}

#[test]
fn a_response_copies_what_8_2_6_2_names_and_tells_where_the_request_came_from() {
    //= RFC 3261 §8.2.6.2 type=test
    //= RFC 3261 §8.2.6.1 type=test
    //= RFC 3261 §18.2.1 type=test
    let mut b = Bench::new();
    let text = "INVITE sip:bob@pbx.example SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKa, SIP/2.0/TCP z;branch=z9hG4bKz
v: SIP/2.0/UDP y ;branch=z9hG4bKy
Max-Forwards: 70
Record-Route: <sip:p1;lr>, <sip:p0;lr>
Record-Route: <sip:q;lr>
From: \"A\"
 <sip:alice@pbx.example>;tag=al
To: sip:bob@pbx.example
Call-ID: c1
CSeq: 1 INVITE
Contact: <sip:alice@10.0.0.1>
Timestamp: 54
Content-Length: 0

";
    b.receive_from("192.0.2.9:41000", text);
    let txn = b.request();
    b.respond(txn, 100);
    let mut ok = OutResponse::new(Status::OK);
    ok.to_tag = Some("bo".into());
    ok.contact = Some("<sip:pbx>".into());
    b.ep.respond(b.now, txn, ok);
    let head = "Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;received=192.0.2.9;rport=41000
Via: SIP/2.0/TCP z;branch=z9hG4bKz
Via: SIP/2.0/UDP y ;branch=z9hG4bKy
From: \"A\"   <sip:alice@pbx.example>;tag=al
";
    let want = [
        format!(
            "SIP/2.0 100 Trying\n{head}To: sip:bob@pbx.example\nCall-ID: c1\nCSeq: 1 INVITE\n\
             Timestamp: 54\nContent-Length: 0\n\n"
        ),
        format!(
            "SIP/2.0 200 OK\n{head}To: sip:bob@pbx.example;tag=bo\nCall-ID: c1\nCSeq: 1 INVITE\n\
             Contact: <sip:pbx>\nRecord-Route: <sip:p1;lr>, <sip:p0;lr>\n\
             Record-Route: <sip:q;lr>\nContent-Length: 0\n\n"
        ),
    ];
    for ((peer, bytes), want) in b.datagrams().into_iter().zip(want) {
        assert_eq!(peer, addr("192.0.2.9:41000"));
        let text = core::str::from_utf8(&bytes).expect("text").replace("\r\n", "\n");
        assert_eq!(text, want);
    }
}

#[test]
fn without_rport_the_answer_goes_to_the_port_of_sent_by() {
    let mut b = Bench::new();
    b.receive_from("192.0.2.77:9999", &request_text("OPTIONS", "z9hG4bKa", 1, ""));
    let txn = b.request();
    b.respond(txn, 200);
    assert_eq!(b.datagrams().pop().expect("sent").0, addr("192.0.2.77:5060"));
}

/// The 49 messages of RFC 4475, each as a datagram: what the endpoint says by itself and what it
/// hands up. `UPDATE_GOLDEN=1` writes the table anew.
#[test]
fn the_torture_messages_get_the_answers_of_the_endpoint() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files: Vec<_> = fs::read_dir(golden.join("rfc4475"))
        .expect("torture messages")
        .map(|f| f.expect("entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
        .collect();
    files.sort();
    let mut table = String::new();
    for file in &files {
        let mut b = Bench::new();
        let bytes = Bytes::from(fs::read(file).expect("a message"));
        let (listener, peer, local) = (ListenerId(0), addr("192.0.2.77:5060"), addr(SENT_BY));
        b.ep.handle(b.now, NetIn::Datagram { listener, peer, local, bytes });
        let up: Vec<&str> = b
            .events()
            .iter()
            .map(|event| match event {
                Event::Request { .. } => "request",
                Event::Ack { .. } => "ACK",
                _ => "something else",
            })
            .collect();
        let sent: Vec<String> = b
            .datagrams()
            .iter()
            .map(|(to, bytes)| format!("{} to {to}", first_line(bytes)))
            .collect();
        let name = file.file_stem().and_then(|n| n.to_str()).unwrap_or("");
        let row = format!("{name:<12} {:<9} {}", up.join(","), sent.join(", "));
        table.push_str(row.trim_end());
        table.push('\n');
    }
    let kept = golden.join("transaction/rfc4475.txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&kept, &table).expect("golden file");
    }
    assert_eq!(files.len(), 49);
    assert_eq!(fs::read_to_string(&kept).unwrap_or_default(), table);
}
