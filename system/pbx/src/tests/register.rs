//! Examples of RFC 3261 §10.3, clause by clause.
use super::*;
use crate::What;

//= RFC 3261 §10.3 type=test
//= RFC 3261 §19.1.1 type=test
#[test]
fn contacts_come_back_verbatim_with_the_seconds_that_are_left() {
    let mut r = registrar();
    let phone = "\"Al, at home\" <sip:1001@10.0.0.1:5060;ob;x=%41?Subject=a>;q=0.7;\
                 Expires=120;+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    let desk = "sip:1001@10.0.0.2";
    let lines = [&*format!("Contact: {phone}, {desk}"), "Expires: 90"];
    let done = send(&mut r, at(100), &register("a", 1, &lines));
    assert_eq!(done.response.status.0, 200);
    let want = phone.replace(";Expires=120", "");
    assert_eq!(contacts(&done), [format!("{want};expires=120"), format!("{desk};expires=90")]);
    let later = send(&mut r, at(130), &register("a", 2, &[]));
    assert_eq!(contacts(&later), [format!("{want};expires=90"), format!("{desk};expires=60")]);
    assert!(later.writes.is_empty() && later.changes.is_empty());
    let dates = later.response.extra.iter().filter(|(n, _)| *n == HeaderName::Date);
    assert_eq!(dates.count(), 1);
    // The Request-URI of calls: verbatim, but headers have no place in one. Desk has the higher q.
    assert_eq!(uris(&r), ["sip:1001@10.0.0.2", "sip:1001@10.0.0.1:5060;ob;x=%41"]);
}

#[test]
fn sixty_seconds_are_accepted_less_is_423_and_too_long_is_cut() {
    let mut r = registrar();
    let of = |seconds: &str| format!("Contact: <sip:1001@10.0.0.1>;expires={seconds}");
    let brief = send(&mut r, at(0), &register("a", 1, &[&of("59")]));
    assert_eq!(brief.response.status.0, 423);
    assert_eq!(brief.response.extra, [(HeaderName::MinExpires, "60".to_string())]);
    assert!(r.is_empty());
    for (asked, given) in [("60", "60"), ("99999", "7200"), ("x", "3600")] {
        let done = send(&mut r, at(0), &register(asked, 1, &[&of(asked)]));
        assert_eq!(contacts(&done), [format!("<sip:1001@10.0.0.1>;expires={given}")]);
    }
}

#[test]
fn a_star_removes_all_but_only_alone_and_with_expires_zero() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:1@h>, <sip:2@h>"]));
    for lines in [&["Contact: *"][..], &["Contact: *", "Expires: 60"]] {
        match Message::parse(raw(2, lines)) {
            Ok(request) => assert_eq!(send(&mut r, at(1), &request).response.status.0, 400),
            Err(rejected) => assert_eq!(rejected.status.map(|s| s.0), Some(400)),
        }
        assert_eq!(r.len(), 2);
    }
    let done = send(&mut r, at(1), &register("a", 2, &["Contact: *", "Expires: 0"]));
    assert_eq!((done.response.status.0, contacts(&done).len(), r.len()), (200, 0, 0));
    assert_eq!(done.writes.len(), 2);
    assert!(done.changes.iter().all(|c| c.what == What::Removed));
}

fn raw(cseq: u32, lines: &[&str]) -> Bytes {
    let good = register("a", cseq, &[]);
    let text = String::from_utf8(good.bytes().to_vec()).expect("text");
    let more: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
    Bytes::from(text.replace("Content-Length", &format!("{more}Content-Length")))
}

//= RFC 3261 §10.3 type=test
#[test]
fn an_old_cseq_of_the_same_call_id_fails_and_nothing_of_it_is_kept() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 5, &["Contact: <sip:1@h>"]));
    for cseq in [4, 5] {
        let both = &["Contact: <sip:new@h>, <sip:1@h>;expires=0"];
        assert_eq!(send(&mut r, at(1), &register("a", cseq, both)).response.status.0, 500);
        let star = &["Contact: *", "Expires: 0"];
        assert_eq!(send(&mut r, at(1), &register("a", cseq, star)).response.status.0, 500);
    }
    assert_eq!(uris(&r), ["sip:1@h"]);
    let other = send(&mut r, at(1), &register("b", 1, &["Contact: <sip:1@h>;expires=0"]));
    assert_eq!((other.response.status.0, r.len()), (200, 0));
}

#[test]
fn equal_uris_are_one_binding_however_they_are_written() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:%31@H.example;transport=UDP>"]));
    let done = send(&mut r, at(1), &register("a", 2, &["m: <sip:1@h.EXAMPLE;transport=udp>"]));
    assert_eq!(contacts(&done), ["<sip:1@h.EXAMPLE;transport=udp>;expires=3600"]);
    // The row of the old spelling goes, the new one comes.
    assert!(matches!(&done.writes[..], [Write::DeleteBinding { .. }, Write::PutBinding(_)]));
    assert_eq!(done.changes[0].what, What::Refreshed);
}

#[test]
fn an_equal_instance_replaces_and_removing_its_old_address_does_no_harm() {
    let mut r = registrar();
    let of = |uri: &str, more: &str| format!("<{uri}>;+sip.instance=\"<urn:uuid:9>\"{more}");
    let old = of("sip:1@10.0.0.1:5060", "");
    send(&mut r, at(0), &register("a", 1, &[&format!("Contact: {old}")]));
    let new = of("sip:1@10.0.0.7:6000", "");
    let gone = of("sip:1@10.0.0.1:5060", ";expires=0");
    for (cseq, line) in
        [(2, format!("Contact: {new}, {gone}")), (3, format!("Contact: {gone}, {new}"))]
    {
        let done = send(&mut r, at(1), &register("a", cseq, &[&line]));
        assert_eq!(contacts(&done), [format!("{new};expires=3600")]);
    }
    // A phone that has moved once more signs off under an address that we never saw.
    let bye = of("sip:1@10.0.0.8", ";expires=0");
    send(&mut r, at(2), &register("a", 4, &[&format!("Contact: {bye}")]));
    assert!(r.is_empty());
}

#[test]
fn at_the_cap_the_one_refreshed_longest_ago_goes() {
    let mut r = registrar();
    for n in 0..10 {
        send(&mut r, at(n), &register("a", n as u32, &[&format!("Contact: <sip:{n}@h>")]));
    }
    send(&mut r, at(20), &register("a", 20, &["Contact: <sip:0@h>"]));
    let done = send(&mut r, at(21), &register("a", 21, &["Contact: <sip:10@h>"]));
    assert_eq!(contacts(&done).len(), 10);
    assert!(
        !uris(&r).contains(&"sip:1@h".to_string()) && uris(&r).contains(&"sip:0@h".to_string())
    );
    assert_eq!(done.changes[0].what, What::Replaced);
}

#[test]
fn without_room_the_answer_is_503_and_nothing_changes() {
    let mut r = Registrar::with_capacity(Entropy::new([9; 32]), 2);
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:1@h>"]));
    let done = send(
        &mut r,
        at(0),
        &register("a", 2, &["Contact: <sip:1@h>;expires=0, <sip:2@h>, <sip:3@h>"]),
    );
    assert_eq!((done.response.status.0, r.len()), (200, 2));
    let done = send(&mut r, at(0), &register("a", 3, &["Contact: <sip:4@h>"]));
    assert_eq!((done.response.status.0, uris(&r).len()), (503, 2));
    assert_eq!(done.response.extra[0].0, HeaderName::RetryAfter);
}

#[test]
fn a_stream_binding_is_never_written_and_dies_with_its_connection() {
    let mut r = registrar();
    let over = |r: &mut Registrar, flow: Flow, uri: &str, cseq: u32| {
        send_over(r, at(0), &register("a", cseq, &[&format!("Contact: <{uri}>")]), flow)
    };
    assert!(over(&mut r, tcp(2), "sip:1@h;transport=tcp", 1).writes.is_empty());
    over(&mut r, tcp(4), "sip:2@h;transport=tcp", 2);
    over(&mut r, udp(1, 5060), "sip:3@h", 3);
    let lost = r.conn_closed(ConnId(2));
    assert_eq!(
        (lost.len(), lost[0].what, lost[0].uri.as_str()),
        (1, What::Lost, "sip:1@h;transport=tcp")
    );
    assert_eq!(uris(&r), ["sip:3@h", "sip:2@h;transport=tcp"]);
    // The same contact over UDP now, and the other way: the row comes and goes.
    assert!(matches!(
        &over(&mut r, udp(1, 5060), "sip:2@h;transport=tcp", 4).writes[..],
        [Write::PutBinding(_)]
    ));
    assert!(matches!(
        &over(&mut r, tcp(6), "sip:3@h", 5).writes[..],
        [Write::DeleteBinding { .. }]
    ));
    assert!(r.conn_closed(ConnId(4)).is_empty());
}

#[test]
fn rows_come_back_after_a_restart_with_the_wall_time_that_is_left() {
    let mut r = registrar();
    let line = "Contact: <sip:1@10.0.0.1>;q=0.3;expires=100, <sip:2@10.0.0.1>;expires=200";
    let rows: Vec<_> = send(&mut r, at(0), &register("a", 7, &[line]))
        .writes
        .into_iter()
        .map(|w| match w {
            Write::PutBinding(row) => row,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut again = registrar();
    let now = Now { mono: Instant(5), wall: at(150).wall };
    let mut stranger = rows[1].clone();
    stranger.user = "nobody".to_string();
    let dead = again.restore(now, &[rows[0].clone(), rows[1].clone(), stranger], &directory());
    assert_eq!(dead.len(), 2);
    let kept: Vec<_> = again.lookup(TenantId(0), "1001").into_iter().cloned().collect();
    assert_eq!((kept[0].uri.as_str(), kept[0].q, kept[0].cseq), ("sip:2@10.0.0.1", 1000, 7));
    assert_eq!(kept[0].echo(now.mono), "<sip:2@10.0.0.1>;expires=50");
    // The Call-ID goes on counting where it stopped.
    let old = send(&mut again, now, &register("a", 7, &["Contact: <sip:2@10.0.0.1>"]));
    assert_eq!(old.response.status.0, 500);
}

#[test]
fn what_no_phone_needs_is_not_kept() {
    let mut r = registrar();
    let long = format!("Contact: <sip:{}@h>", "x".repeat(3000));
    assert_eq!(send(&mut r, at(0), &register("a", 1, &[&long])).response.status.0, 513);
    let call_id = "c".repeat(3000);
    let request = register(&call_id, 1, &["Contact: <sip:1@h>"]);
    assert_eq!(send(&mut r, at(0), &request).response.status.0, 513);
    assert!(r.is_empty());
}

#[test]
fn a_number_that_left_the_directory_takes_its_bindings_along() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:1@h>"]));
    assert!(r.prune(&directory()).0.is_empty());
    let (writes, changes) = r.prune(&Directory::new(vec![tenant(1, "other")]));
    assert!(matches!(&writes[..], [Write::DeleteBinding { tenant, .. }] if tenant == "demo"));
    assert_eq!((changes[0].what, r.len()), (What::Removed, 0));
}

#[test]
fn an_expires_header_of_zero_removes_only_the_contacts_named() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:1@h>, <sip:2@h>"]));
    let done = send(&mut r, at(1), &register("a", 2, &["Contact: <sip:1@h>", "Expires: 0"]));
    assert_eq!((done.response.status.0, uris(&r)), (200, vec!["sip:2@h".to_string()]));
}
