use super::lawyer::faults_of;
use super::*;
use crate::seen::Seen;
use bitspath_core::store::{CdrCause, CdrId};
use bitspath_core::{Duration, UnixTime};

const PBX: HostId = HostId(0);
const ALICE: HostId = HostId(1);
const BOB: HostId = HostId(2);

fn oracles() -> Oracles {
    let mut o = Oracles::default();
    o.under_test(PBX);
    o
}

fn response(status: u16, cseq: &str, to_tag: &str) -> String {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKabcdef\r\n\
         From: <sip:a@b>;tag=f\r\nTo: <sip:c@b>;tag={to_tag}\r\nCall-ID: c1\r\nCSeq: {cseq}\r\n\
         Contact: <sip:x@1.2.3.4>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn request(method: &str, cseq: u32) -> String {
    format!(
        "{method} sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK0123{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@b>;tag=t\r\nCall-ID: c9\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:x@1.2.3.4>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn arrow(text: &str, to: HostId) -> Arrow {
    let seen = Seen::parse(&Bytes::from(text.to_owned())).unwrap();
    Arrow { at: Instant(0), from: PBX, to: Some(to), seen, again: false }
}

fn row(status: u16, billed: Duration) -> CdrRow {
    CdrRow {
        id: CdrId(1),
        tenant: "t".into(),
        caller: "1001".into(),
        callee: "1002".into(),
        call_id: "c1".into(),
        started: UnixTime(0),
        answered: Some(UnixTime(0)),
        ended: Some(UnixTime(0)),
        billed,
        cause: CdrCause::CallerHungUp,
        status,
        packets: [0, 0],
    }
}

fn verdicts(o: &Oracles) -> Vec<&'static str> {
    o.broken.iter().map(|b| b.oracle).collect()
}

#[test]
fn a_second_final_and_a_late_provisional_are_caught() {
    let mut o = oracles();
    o.sip(Instant(0), &arrow(&response(180, "1 INVITE", "t"), ALICE));
    o.sip(Instant(1), &arrow(&response(486, "1 INVITE", "t"), ALICE));
    assert_eq!(o.broken, []);
    o.sip(Instant(2), &arrow(&response(487, "1 INVITE", "t"), ALICE));
    o.sip(Instant(3), &arrow(&response(180, "1 INVITE", "t"), ALICE));
    assert_eq!(verdicts(&o), ["one final per transaction"; 2]);
}

#[test]
fn a_transaction_left_with_a_provisional_is_caught_at_rest() {
    let mut o = oracles();
    o.sip(Instant(0), &arrow(&response(180, "1 INVITE", "t"), ALICE));
    o.at_rest(Instant(9));
    assert_eq!(verdicts(&o), ["one final per transaction"]);
}

#[test]
fn a_cseq_that_does_not_rise_is_caught() {
    let mut o = oracles();
    o.sip(Instant(0), &arrow(&request("INVITE", 5), BOB));
    o.sip(Instant(0), &arrow(&request("ACK", 5), BOB));
    o.sip(Instant(1), &arrow(&request("BYE", 6), BOB));
    assert_eq!(o.broken, []);
    o.sip(Instant(2), &arrow(&request("INFO", 6), BOB));
    o.sip(Instant(2), &arrow(&request("ACK", 6), BOB));
    assert_eq!(verdicts(&o), ["CSeq rises"; 2]);
}

fn described(to: HostId, call_id: &str, port: u16) -> Arrow {
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    );
    let text = request("INVITE", 1)
        .replace("c9", call_id)
        .replace("Content-Length: 0\r\n\r\n", "Content-Type: application/sdp\r\n")
        + &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    arrow(&text, to)
}

fn packet(seq: u16) -> Bytes {
    let mut p = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    p[2..4].copy_from_slice(&seq.to_be_bytes());
    Bytes::from(p)
}

#[test]
fn media_to_somebody_who_was_not_told_the_port_is_caught() {
    let mut o = oracles();
    let (from, to) = ("1.2.3.4:9000".parse().unwrap(), "10.0.0.2:4000".parse().unwrap());
    o.sip(Instant(0), &described(BOB, "c9", 9000));
    o.port(Instant(0), 9000, true);
    o.rtp(Instant(1), PBX, Some(BOB), from, to, &packet(1));
    assert_eq!(o.broken, []);
    o.rtp(Instant(2), PBX, Some(ALICE), from, to, &packet(2));
    assert_eq!(verdicts(&o), ["media to the negotiated peer"]);
}

#[test]
fn a_repeated_or_falling_rtp_sequence_is_caught() {
    let mut o = oracles();
    let (from, to) = ("1.2.3.4:9000".parse().unwrap(), "10.0.0.2:4000".parse().unwrap());
    o.sip(Instant(0), &described(BOB, "c9", 9000));
    o.port(Instant(0), 9000, true);
    for seq in [65_534, 65_535, 0, 2] {
        o.rtp(Instant(1), PBX, Some(BOB), from, to, &packet(seq));
    }
    assert_eq!(o.broken, []);
    o.rtp(Instant(1), PBX, Some(BOB), from, to, &packet(2));
    o.rtp(Instant(1), PBX, Some(BOB), from, to, &packet(1));
    assert_eq!(verdicts(&o), ["RTP sequence rises"; 2]);
}

#[test]
fn a_port_that_is_opened_twice_or_without_rest_is_caught() {
    let mut o = oracles();
    o.port(Instant(0), 9000, true);
    o.port(Instant(1), 9000, true);
    o.port(Instant(2), 9000, false);
    o.port(Instant(1_000_000_000), 9000, true);
    assert_eq!(verdicts(&o), ["a port has one owner"; 2]);
    o.port(Instant(2_000_000_000), 9000, false);
    o.port(Instant(8_000_000_000), 9000, true);
    assert_eq!(o.broken.len(), 2);
}

fn answered_call(o: &mut Oracles) {
    o.sip(Instant(0), &arrow(&response(200, "1 INVITE", "t"), ALICE));
    o.sip(Instant(5_000_000_000), &arrow(&response(200, "2 BYE", "t"), ALICE));
}

#[test]
fn a_missing_a_second_and_an_untruthful_record_are_caught() {
    let mut o = oracles();
    answered_call(&mut o);
    o.cdr(Instant(0), &row(200, Duration::from_secs(5)));
    o.at_rest(Instant(0));
    assert_eq!(o.broken, []);
    o.cdr(Instant(0), &CdrRow { id: CdrId(2), ..row(200, Duration::from_secs(5)) });
    assert_eq!(verdicts(&o), ["one CDR per call"]);

    let mut o = oracles();
    answered_call(&mut o);
    o.at_rest(Instant(0));
    assert_eq!(verdicts(&o), ["one CDR per call"]);

    let mut o = oracles();
    answered_call(&mut o);
    o.cdr(Instant(0), &row(486, Duration::from_secs(50)));
    assert_eq!(verdicts(&o), ["a CDR is truthful"; 2]);
}

#[test]
fn a_word_of_one_tenant_in_a_message_to_another_is_caught() {
    let mut o = oracles();
    o.belongs(ALICE, "red", &["red.test"]);
    o.belongs(BOB, "blue", &["blue.test"]);
    o.sip(Instant(0), &arrow(&request("INVITE", 1).replace("sip:a@b", "sip:a@blue.test"), BOB));
    assert_eq!(o.broken, []);
    o.sip(Instant(0), &arrow(&request("OPTIONS", 2).replace("sip:a@b", "sip:a@red.test"), BOB));
    assert_eq!(verdicts(&o), ["tenants are apart"]);
}

#[test]
fn the_lawyer_passes_good_messages_and_names_what_is_wrong_with_bad_ones() {
    let good = request("BYE", 7);
    assert_eq!(faults_of(&good), Vec::<String>::new());
    assert_eq!(faults_of(&response(200, "1 INVITE", "t")), Vec::<String>::new());
    for (from, to) in [
        ("Max-Forwards: 70\r\n", ""),
        ("CSeq: 7 BYE", "CSeq: 7 INVITE"),
        ("z9hG4bK", "q9hG4bK"),
        (";tag=f", ""),
        (";tag=t", ""),
        ("Content-Length: 0\r\n", ""),
        ("To:", "To: <sip:z@z>;tag=2\r\nTo:"),
        ("\r\n\r\n", "\r\n\r\nmore"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_eq!(faults_of(&bad).len(), 1, "{from} -> {to}: {:?}", faults_of(&bad));
    }
    let ringing = response(180, "1 INVITE", "t").replace(";tag=t", "");
    assert_eq!(faults_of(&ringing), ["no To-tag"]);
}

#[test]
fn what_phones_send_is_not_judged() {
    let mut o = oracles();
    let mut a = arrow("BYE sip:x SIP/2.0\r\nVia: x\r\n\r\n", PBX);
    a.from = ALICE;
    o.sip(Instant(0), &a);
    assert_eq!(o.broken, []);
}
