//! RFC 4475 through the whole Node: each of the 49 messages gets the answer that its section asks
//! of a server, in a tenant without authentication. What is expected stands beside the messages.
#![allow(clippy::expect_used, clippy::panic)]
#[path = "node/world.rs"]
mod world;

use bitspath_core::{Bytes, Duration, NetOut};
use bitspath_server::Output;
use bitspath_sip::{HeaderName, Message};
use std::path::PathBuf;
use world::{OPEN, World, at};

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sip/golden/rfc4475")
}

fn message(name: &str) -> Bytes {
    let path = golden().join(format!("{name}.dat"));
    Bytes::from(std::fs::read(path).expect("a message of RFC 4475"))
}

/// Message and the final statuses that its section allows; an empty list is no answer.
fn expected() -> Vec<(String, Vec<u16>)> {
    let text = std::fs::read_to_string(golden().join("EXPECT.tsv")).expect("EXPECT.tsv");
    let rows = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    rows.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let answers = cells[3].split('|').filter_map(|a| a.parse().ok()).collect();
        (cells[0].to_owned(), answers)
    })
    .collect()
}

/// What is sent for one message, wherever it goes.
fn sent(w: &mut World, bytes: Bytes) -> Vec<Bytes> {
    w.datagram(at("192.0.2.77:5060"), bytes);
    let datagram = |output| match output {
        Output::Net(NetOut::Datagram { bytes, .. }) => Some(bytes),
        _ => None,
    };
    std::mem::take(&mut w.outputs).into_iter().filter_map(datagram).collect()
}

/// The final statuses among these. Read by hand: an answer repeats what was malformed.
fn finals(sent: &[Bytes]) -> Vec<u16> {
    let status = |b: &Bytes| {
        let line = b.strip_prefix(b"SIP/2.0 ".as_slice())?;
        std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
    };
    sent.iter().filter_map(status).filter(|s| *s >= 200).collect()
}

/// The last answer.
fn ask(w: &mut World, bytes: Bytes) -> Option<Message> {
    Message::parse(sent(w, bytes).pop()?).ok()
}

#[test]
fn all_49_messages_get_the_answer_that_their_section_asks_for() {
    let rows = expected();
    assert_eq!(rows.len(), 49);
    let mut wrong = Vec::new();
    for (name, allowed) in rows {
        let mut w = World::new(OPEN);
        let got = finals(&sent(&mut w, message(&name)));
        let right = match &got[..] {
            [] => allowed.is_empty(),
            [one] => allowed.contains(one),
            _ => false,
        };
        if !right {
            wrong.push(format!("{name}: {got:?}, not one of {allowed:?}"));
        }
        w.advance(Duration::from_secs(70));
        w.at_rest();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_refusal_carries_what_the_rfc_wants_in_it() {
    let answer = |name: &str| {
        let mut w = World::new(OPEN);
        ask(&mut w, message(name)).expect("an answer")
    };
    assert!(answer("intmeth").has(HeaderName::Allow));
    assert!(answer("esc02").has(HeaderName::Allow));
    assert_eq!(answer("invut").header(HeaderName::Accept), Some("application/sdp"));
    assert_eq!(
        answer("bext01").header(HeaderName::Unsupported),
        Some("nothingSupportsThis, nothingSupportsThisEither")
    );
}

/// The users that the REGISTERs of RFC 4475 speak for.
fn with_users() -> String {
    let mut text = OPEN.to_owned();
    for user in ["j.user", "watson", "user"] {
        text.push_str("[[tenant.extension]]\n");
        text.push_str(&format!("number = \"{user}\"\npassword = \"x\"\n"));
    }
    text
}

#[test]
fn contacts_come_back_with_their_parameters_where_they_stood() {
    let contacts = |name: &str| -> Vec<String> {
        let mut w = World::new(&with_users());
        let ok = ask(&mut w, message(name)).expect("an answer");
        assert_eq!(ok.status().map(|s| s.0), Some(200), "{name}");
        ok.list(HeaderName::Contact).map(str::to_owned).collect()
    };
    let [plain] = &contacts("cparam01")[..] else { panic!("one contact") };
    assert!(plain.starts_with("sip:+19725552222@gw1.example.net;unknownparam;"), "{plain}");
    let [inside] = &contacts("cparam02")[..] else { panic!("one contact") };
    assert!(inside.starts_with("<sip:+19725552222@gw1.example.net;unknownparam>;"), "{inside}");
    let [escaped] = &contacts("regescrt")[..] else { panic!("one contact") };
    assert!(escaped.contains("?Route=%3Csip:sip.example.com%3E"), "{escaped}");
    assert_eq!(contacts("dblreq").len(), 1);
}

#[test]
fn with_authentication_an_unknown_scheme_is_challenged_again() {
    let text = with_users().replace("authentication = false", "authentication = true");
    let mut w = World::new(&text);
    let answer = ask(&mut w, message("regaut01")).expect("an answer");
    assert_eq!(answer.status().map(|s| s.0), Some(401));
    assert!(answer.has(HeaderName::WwwAuthenticate));
}

#[test]
fn no_prefix_of_any_message_leaves_anything_behind() {
    let mut w = World::new(OPEN);
    for (name, _) in expected() {
        let bytes = message(&name);
        for cut in (0..bytes.len()).step_by(17) {
            ask(&mut w, bytes.slice(..cut));
        }
    }
    w.advance(Duration::from_secs(70));
    w.at_rest();
}
