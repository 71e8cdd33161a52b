//! Kept texts: the example of RFC 3264 §10.1 across our border, and the offer/answer machine with
//! every input in every state. `UPDATE_GOLDEN=1 cargo test -p bitspath-sip` writes them anew.
use super::*;
use alloc::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

fn golden(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/sdp").join(file);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("golden folder");
        fs::write(&path, made).expect("golden file");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{} differs; made now:\n{made}", path.display());
}

fn alice(version: u64, sections: &str) -> Session {
    parsed(&format!(
        "v=0\r\no=alice 2890844526 {version} IN IP4 host.anywhere.com\r\ns=\r\n\
         c=IN IP4 host.anywhere.com\r\nt=0 0\r\n{sections}"
    ))
}

fn bob(version: u64, sections: &str) -> Session {
    parsed(&format!(
        "v=0\r\no=bob 2890844730 {version} IN IP4 host.example.com\r\ns=\r\n\
         c=IN IP4 host.example.com\r\nt=0 0\r\n{sections}"
    ))
}

//= RFC 3264 §10.1 type=test
#[test]
fn the_basic_exchange_of_the_standard_crosses_our_border() {
    let offer = alice(
        2_890_844_526,
        "m=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
         m=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n\
         m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n",
    );
    let answer = bob(
        2_890_844_730,
        "m=audio 49920 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 0 RTP/AVP 31\r\n\
         m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n",
    );
    let again = bob(
        2_890_844_731,
        "m=audio 65422 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 0 RTP/AVP 31\r\n\
         m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n\
         m=audio 51434 RTP/AVP 110\r\na=rtpmap:110 telephone-events/8000\r\na=recvonly\r\n",
    );
    let accepted = alice(
        2_890_844_527,
        "m=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
         m=video 0 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n\
         m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n\
         m=audio 53122 RTP/AVP 110\r\na=rtpmap:110 telephone-events/8000\r\na=sendonly\r\n",
    );
    let (mut to_bob, mut to_alice) = (OwnOrigin::new(400), OwnOrigin::new(800));
    let bobs = [Some(20_000), None, Some(20_004), Some(20_006)];
    let alices = [Some(30_000), None, Some(30_004), Some(30_006)];
    let (mut caller, mut callee) = (OfferAnswer::default(), OfferAnswer::default());
    let mut text = String::new();
    let mut note = |title: &str, s: &Session| {
        text.push_str(&format!("## {title}\n{}\n", s.to_string().replace("\r\n", "\n")));
    };

    caller.offer_received(offer.clone()).expect("free");
    let out = relayed(&offer, &mut to_bob, ours(), &bobs);
    note("Alice's offer as Bob hears it", &out);
    callee.offer_sent(out).expect("free");
    callee.answer_received(answer.clone(), true).expect("fits");
    let out = relayed_answer(&offer, &answer, &mut to_alice, ours(), &alices);
    note("Bob's answer as Alice hears it", &out);
    caller.answer_sent(out, true).expect("fits");

    callee.offer_received(again.clone()).expect("free");
    let out = relayed(&again, &mut to_alice, ours(), &alices);
    note("Bob's new offer as Alice hears it", &out);
    caller.offer_sent(out).expect("free");
    caller.answer_received(accepted.clone(), true).expect("fits");
    let out = relayed_answer(&again, &accepted, &mut to_bob, ours(), &bobs);
    note("Alice's new answer as Bob hears it", &out);
    callee.answer_sent(out, true).expect("fits");
    golden("rfc3264-10-1.txt", &text);
}

type Input = (&'static str, fn(&mut OfferAnswer, Session) -> Result<(), Violation>);

const INPUTS: [Input; 7] = [
    ("offer sent", |leg, s| leg.offer_sent(s)),
    ("offer received", |leg, s| leg.offer_received(s)),
    ("answer sent", |leg, s| leg.answer_sent(s, true)),
    ("answer received", |leg, s| leg.answer_received(s, true)),
    ("early answer sent", |leg, s| leg.answer_sent(s, false)),
    ("early answer rcvd", |leg, s| leg.answer_received(s, false)),
    ("withdraw", |leg, _| {
        leg.withdraw();
        Ok(())
    }),
];

fn name(leg: &OfferAnswer) -> &'static str {
    match leg.state() {
        State::Stable => "Stable",
        State::OfferSent { early: None, .. } => "OfferSent",
        State::OfferSent { .. } => "OfferSent+early",
        State::OfferReceived { early: None, .. } => "OfferReceived",
        State::OfferReceived { .. } => "OfferReceived+early",
    }
}

#[test]
fn every_input_in_every_state_is_as_the_table_says() {
    let s = offer("m=audio 4000 RTP/AVP 0\r\n");
    let (mut text, mut edges) = (String::new(), BTreeSet::new());
    text.push_str("# Offer/answer of one leg, RFC 3264: every input in every state.\n");
    text.push_str("# state, input, next state, refusal with its status\n");
    // Every state is two inputs away from the first at most.
    let mut found: Vec<OfferAnswer> = vec![OfferAnswer::default()];
    let mut n = 0;
    while let Some(leg) = found.get(n).cloned() {
        n += 1;
        for (input, feed) in INPUTS {
            let mut next = leg.clone();
            let said = match feed(&mut next, s.clone()) {
                Ok(()) => String::new(),
                Err(why) => format!("{why:?} {}", why.status().0),
            };
            let row = format!("{:<20} {input:<18} {:<20} {said}", name(&leg), name(&next));
            text.push_str(row.trim_end());
            text.push('\n');
            if said.is_empty() {
                let (from, to) = (name(&leg), name(&next));
                edges.insert(format!("  \"{from}\" -> \"{to}\" [label=\"{input}\"];\n"));
            }
            if !found.iter().any(|seen| name(seen) == name(&next)) {
                found.push(next);
            }
        }
    }
    golden("offer_answer.txt", &text);
    let edges: String = edges.into_iter().collect();
    let title = "// Offer/answer of one leg, RFC 3264\ndigraph offer_answer {\n";
    golden("offer_answer.dot", &format!("{title}  node [shape=box];\n{edges}}}\n"));
}
