//! The text: what goes in comes out, and nothing makes the parser panic.
use super::*;
use std::path::{Path, PathBuf};
use std::{eprintln, fs};

#[test]
fn the_seminar_of_the_standard_round_trips_octet_for_octet() {
    let session = parsed(SEMINAR);
    assert_eq!(session.emit(), SEMINAR.as_bytes());
    assert_eq!(session.origin.session_id, 2_890_844_526);
    assert_eq!(session.notes.len(), 3);
    assert_eq!(session.media[1].codec(99).map(|c| c.rate), Some(90_000));
    assert_eq!(session.media[0].direction(&session), Direction::RecvOnly);
}

#[test]
fn unknown_lines_and_attributes_survive() {
    let text = "v=0\r\no=- 1 2 IN IP4 h.example\r\ns= \r\nt=0 0\r\nx=what\r\na=X-odd:\r\n\
                m=audio 4000 RTP/AVP 0\r\ny=is this\r\na=x-flag\r\n";
    assert_eq!(parsed(text).emit(), text.as_bytes());
}

//= RFC 8866 §5 type=test
#[test]
fn sloppy_phones_are_understood_and_answered_in_order() {
    let text = "v=0\no=phone 7 7 IN  IP4 10.0.0.1\nt=0 0\na=sendrecv\nc=IN IP4 10.0.0.1 \n\n\
                m=audio 4000  RTP/AVP 0 8 \na=ptime:30 \nm=video 0 RTP/AVP";
    let tidy = "v=0\r\no=phone 7 7 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
                a=sendrecv\r\nm=audio 4000 RTP/AVP 0 8\r\na=ptime:30 \r\nm=video 0 RTP/AVP\r\n";
    assert_eq!(parsed(text).emit(), tidy.as_bytes());
    assert_eq!(parsed(text).media[0].ptime(), Some(30));
}

//= RFC 8866 §5 type=test
//= RFC 8866 §5.1 type=test
#[test]
fn a_fault_names_the_octet_and_what_was_expected() {
    let bad = |text: &str| Session::parse(text.as_bytes()).expect_err("not a description");
    assert_eq!(bad("").offset, 0);
    assert_eq!(bad("v=1\r\n").to_string(), "offset 0, expected v=0");
    assert_eq!(bad("v=0\r\no=- 1 x IN IP4 h\r\n").offset, 11);
    assert_eq!(bad("v=0\r\ns=-\r\n").expected, "an o-line");
    assert_eq!(bad("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 70000 RTP/AVP 0\r\n").offset, 31);
    assert_eq!(bad("v=0\r\no=- 1 1 IN IP4 h\r\ns=a\rb\r\n").offset, 26);
    assert_eq!(bad("v=0\r\no=- 1 1 IN IP4 h\r\ns=a\0b\r\n").offset, 26);
    assert_eq!(bad("v=0\r\nno\r\n").expected, "=");
    let head = "v=0\r\no=- 1 1 IN IP4 h\r\n".to_string();
    assert!(bad(&(head.clone() + &"m=audio 1 RTP/AVP 0\r\n".repeat(17))).too_much);
    assert!(bad(&(head.clone() + "m=audio 1 RTP/AVP" + &" 0".repeat(65))).too_much);
    assert!(bad(&(head + &"a=x\r\n".repeat(1024))).too_much);
}

#[test]
fn every_truncation_is_a_description_or_a_fault() {
    for cut in 0..SEMINAR.len() {
        let _ = Session::parse(&SEMINAR.as_bytes()[..cut]);
    }
}

/// The corpora lie beside the repository, not in it.
fn foreign(dir: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(dir)
}

/// Foreign descriptions, read where they lie; none is copied into the repository.
#[test]
fn real_offers_and_answers_are_read_and_keep_their_value() {
    let mut read = 0;
    for dir in ["sdp/from-pcaps", "sdp/libosip2", "sdp/sofia", "sdp/sdp-transform"] {
        let Ok(entries) = fs::read_dir(foreign(dir)) else {
            eprintln!("skipped: {dir} is not here");
            continue;
        };
        for file in entries.flatten().filter(|e| e.path().is_file()) {
            let bytes = fs::read(file.path()).expect("readable");
            if !bytes.starts_with(b"v=0") {
                continue;
            }
            match Session::parse(&bytes) {
                Ok(session) => {
                    let again = Session::parse(&session.emit()).expect("our own text");
                    assert_eq!(again, session, "{:?}", file.path());
                    read += 1;
                }
                Err(e) => eprintln!("{:?}: {e}", file.path()),
            }
        }
    }
    eprintln!("{read} foreign descriptions");
}

#[test]
fn foreign_fuzz_seeds_do_not_panic_at_any_truncation() {
    for dir in ["fuzz/pjproject-sdp", "sdp/mozilla", "sdp/rtpengine-pairs"] {
        let Ok(entries) = fs::read_dir(foreign(dir)) else {
            eprintln!("skipped: {dir} is not here");
            continue;
        };
        for file in entries.flatten() {
            let bytes = fs::read(file.path()).expect("readable");
            let step = 1 + bytes.len() / 200;
            for cut in (0..=bytes.len()).step_by(step) {
                walk(&bytes[..cut]);
            }
        }
    }
}

/// Every view on whatever can be parsed.
fn walk(bytes: &[u8]) {
    let Ok(session) = Session::parse(bytes) else { return };
    let mut origin = OwnOrigin::new(1);
    for m in &session.media {
        let _ = (m.codecs(), m.telephone_event_pts(), m.fmtp(0), m.maxptime());
        let _ = (m.remote_rtp(&session), m.remote_rtcp(&session), m.is_held(&session));
    }
    let _ = (acceptable(&session), session.summary());
    let _ = answer_for_service(&session, &["PCMU"], ours(), 1, &mut origin);
    let _ = relayed(&session, &mut origin, ours(), &[Some(1); 16]);
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed_to_the_same_value(session in sessions()) {
        prop_assert_eq!(Session::parse(&session.emit()), Ok(session));
    }

    #[test]
    fn no_octets_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        walk(&bytes);
    }

    #[test]
    fn no_change_of_a_real_text_makes_it_panic(
        session in sessions(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = session.emit().to_vec();
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        walk(&bytes);
    }
}
