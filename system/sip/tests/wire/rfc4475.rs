//! The 49 messages of RFC 4475, as its archive has them. `EXPECT.tsv` says what each gets,
//! `TRACE.txt` how it reads; `BLESS=1` writes the latter anew.
use crate::touch::parse_and_touch;
use bitspath_sip::{Message, Rejected};
use bytes::Bytes;
use std::fmt::Write;
use std::path::PathBuf;

pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

pub struct Row {
    pub name: String,
    pub section: String,
    pub parse: String,
    pub bytes: Vec<u8>,
}

pub fn rows() -> Vec<Row> {
    let table = std::fs::read_to_string(golden("rfc4475/EXPECT.tsv")).expect("the table");
    let row = |line: &str| {
        let [name, section, parse, _answer, _why] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("five columns");
        let bytes = std::fs::read(golden(&format!("rfc4475/{name}.dat"))).expect("the message");
        Row { name: name.into(), section: section.into(), parse: parse.into(), bytes }
    };
    table.lines().filter(|l| !l.starts_with('#')).map(row).collect()
}

fn verdict(result: &Result<Message, Rejected>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(Rejected { status: Some(status), .. }) => status.to_string(),
        Err(_) => "drop".into(),
    }
}

//= RFC 4475 §3 type=test
//= RFC 4475 §3.1.2.18 type=test
#[test]
fn each_of_the_49_messages_gets_its_verdict() {
    let rows = rows();
    let files = std::fs::read_dir(golden("rfc4475")).expect("the folder");
    let is_message = |e: &std::fs::DirEntry| e.path().extension().is_some_and(|x| x == "dat");
    assert_eq!((rows.len(), files.flatten().filter(is_message).count()), (49, 49));
    let mut trace = String::new();
    let mut wrong = Vec::new();
    for row in rows {
        let result = Message::parse(Bytes::from(row.bytes));
        if verdict(&result) != row.parse {
            wrong.push(format!("{} {}: {} {result:?}", row.name, row.section, row.parse));
        }
        match result {
            Ok(message) => writeln!(trace, "{}: ok {message}", row.name),
            Err(rejected) => writeln!(trace, "{}: rejected {rejected}", row.name),
        }
        .expect("a string takes all");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let path = golden("rfc4475/TRACE.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &trace).expect("writable");
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(trace == want, "TRACE.txt differs; BLESS=1 writes it\n{trace}");
}

#[test]
fn what_the_sections_say_of_single_views() {
    let read = |name: &str| {
        let bytes = std::fs::read(golden(&format!("rfc4475/{name}.dat"))).expect("the message");
        Message::parse(Bytes::from(bytes)).expect("accepted")
    };
    let semiuri = read("semiuri");
    let user = semiuri.uri().and_then(|u| u.user_unescaped().map(|u| u.into_owned()));
    assert_eq!(user.as_deref(), Some("user;par=u@example.net"));
    let escnull = read("escnull");
    let user = escnull.to().uri().ok().and_then(|u| u.user_unescaped().map(|u| u.into_owned()));
    assert_eq!(user.as_deref(), Some("null-\0-null"));
    assert_eq!(read("esc02").list(bitspath_sip::HeaderName::Contact).count(), 2);
    let wsinv = read("wsinv");
    assert_eq!((wsinv.vias().count(), wsinv.max_forwards(), wsinv.cseq()), (3, Some(68), 9));
    assert_eq!((wsinv.to_tag(), wsinv.from_tag()), (Some("1918181833n"), Some("98asjd8")));
    let contact = wsinv.contacts().first().expect("a contact");
    assert_eq!(
        (contact.q(), contact.display_name().as_deref()),
        (Some(330), Some("Quoted string \"\""))
    );
    assert_eq!(read("dblreq").body(), b"");
    assert_eq!(read("mpart01").body().len(), 553);
    assert_eq!(read("longreq").vias().count(), 34);
    assert_eq!(read("noreason").reason(), "");
    let (one, two) = (read("cparam01"), read("cparam02"));
    let param = |m: &Message| m.contacts().first().map(|c| c.param("unknownparam").is_some());
    assert_eq!((param(&one), param(&two)), (Some(true), Some(false)));
}

/// The archive's baddn also lacks its empty line; with one, the comma is still refused.
#[test]
fn a_comma_in_an_unquoted_display_name_is_what_is_wrong_with_baddn() {
    let mut bytes = std::fs::read(golden("rfc4475/baddn.dat")).expect("the message");
    let from = bytes.windows(5).position(|w| w == b"Bell,").expect("the name") + 4;
    bytes.extend_from_slice(b"\r\n");
    let rejected = Message::parse(Bytes::from(bytes)).expect_err("400");
    assert_eq!((rejected.offset, rejected.status.map(|s| s.0)), (from, Some(400)));
}

#[test]
fn no_prefix_of_any_message_panics() {
    for row in rows() {
        for cut in 0..row.bytes.len() {
            parse_and_touch(&row.bytes[..cut]);
        }
    }
}
