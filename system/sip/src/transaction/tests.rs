//! Every input in every state of the four machines, as a table and as a digraph in
//! `golden/transaction/`. `UPDATE_GOLDEN=1 cargo test -p bitspath-sip` writes them anew.
use super::*;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::{Instant, Outbox};
use std::{env, fs, path::Path};

trait Figure: Clone {
    fn state_name(&self) -> &'static str;
    fn armed(&self) -> &TimerTable;
}

macro_rules! figures {
    ($($machine:ty),+) => {$(
        impl Figure for $machine {
            fn state_name(&self) -> &'static str {
                self.state().name()
            }
            fn armed(&self) -> &TimerTable {
                self.timers()
            }
        }
    )+};
}
figures!(InviteClient, NonInviteClient, InviteServer, NonInviteServer);

type Feed<M> = Box<dyn Fn(&mut M, Clock<'_>, &mut Outbox<Act>)>;

const T: Timers = Timers {
    t1: bitspath_core::Duration::from_millis(500),
    t2: bitspath_core::Duration::from_secs(4),
    t4: bitspath_core::Duration::from_secs(5),
};
const CLOCK: Clock<'static> = Clock { now: Instant(0), timers: &T };
const TRANSPORTS: [(&str, bool); 2] = [("unreliable", false), ("reliable", true)];

fn bytes(text: &str) -> Bytes {
    Bytes::from(text.replace('\n', "\r\n"))
}

fn request(method: &str) -> Bytes {
    bytes(&format!(
        "{method} sip:b@b.example SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1;rport\n\
         Max-Forwards: 70\nFrom: <sip:a@a.example>;tag=a\nTo: <sip:b@b.example>\nCall-ID: c\n\
         CSeq: 1 {method}\nContact: <sip:a@a.example>\nContent-Length: 0\n\n"
    ))
}

fn failure() -> Message {
    Message::parse(bytes(
        "SIP/2.0 486 Busy Here\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1\n\
         From: <sip:a@a.example>;tag=a\nTo: <sip:b@b.example>;tag=b\nCall-ID: c\n\
         CSeq: 1 INVITE\nContent-Length: 0\n\n",
    ))
    .expect("a good response")
}

fn word(bytes: &Bytes) -> String {
    let text = core::str::from_utf8(bytes).expect("text");
    text.split([' ', '\r']).next().unwrap_or("").to_string()
}

fn act(act: &Act) -> String {
    match act {
        Act::Send(b) => format!("send {}", word(b)),
        Act::Resend(b) => format!("again {}", word(b)),
        Act::Deliver => "to TU".into(),
        Act::Fail(why) => format!("fail {why:?}"),
        Act::Cancel(b) => format!("start {}", word(b)),
        Act::Trying => "want 100".into(),
        Act::Stray => "stray".into(),
    }
}

fn timers(table: &TimerTable) -> String {
    let mut rows: Vec<String> =
        table.iter().map(|(t, due)| format!("{t}+{}", due.0 / 1_000_000)).collect();
    rows.sort();
    rows.join(" ")
}

/// Rows of the table; edges of the digraph are added to `edges`.
fn rows<M: Figure>(
    states: &[(&str, M)],
    events: &[(&str, Feed<M>)],
    edges: &mut BTreeSet<String>,
) -> String {
    let mut text = String::new();
    // A state that this transport passes through at once has no row.
    for (label, machine) in states.iter().filter(|(l, m)| l.starts_with(m.state_name())) {
        for (event, feed) in events {
            let mut machine = machine.clone();
            let from = machine.state_name();
            let mut out = Outbox::default();
            feed(&mut machine, CLOCK, &mut out);
            let acts: Vec<String> = out.drain().map(|a| act(&a)).collect();
            let (to, acts, armed) =
                (machine.state_name(), acts.join(", "), timers(machine.armed()));
            let row = format!("{label:<22} {event:<16} {to:<11} {acts:<26} {armed}");
            text.push_str(row.trim_end());
            text.push('\n');
            if acts != "stray" {
                edges.insert(format!("  {from} -> {to} [label=\"{event}\\n{acts}\"];\n"));
            }
        }
    }
    text
}

fn golden(name: &str, title: &str, tables: &[(&str, String)], edges: &BTreeSet<String>) {
    let mut text = format!(
        "# {title}: every input in every state.\n\
         # state, input, next state, acts, timers with their milliseconds\n"
    );
    for (transport, rows) in tables {
        text.push_str(&format!("\n## {transport} transport\n{rows}"));
    }
    let edges: String = edges.iter().map(String::as_str).collect();
    let dot = format!("// {title}\ndigraph {name} {{\n  node [shape=box];\n{edges}}}\n");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/transaction");
    for (file, made) in [(format!("{name}.txt"), text), (format!("{name}.dot"), dot)] {
        let path = folder.join(file);
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).expect("golden folder");
            fs::write(&path, &made).expect("golden file");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{} differs; made now:\n{made}", path.display());
    }
}

type FeedRef<'a, M> = &'a dyn Fn(&mut M, Clock<'_>, &mut Outbox<Act>);

/// The machine after these inputs.
fn after<M: Clone>(machine: &M, feeds: &[FeedRef<'_, M>]) -> M {
    let mut machine = machine.clone();
    for feed in feeds {
        feed(&mut machine, CLOCK, &mut Outbox::default());
    }
    machine
}

#[test]
fn figure_5_invite_client() {
    use invite_client::Event;
    let events = || -> Vec<(&'static str, Feed<InviteClient>)> {
        vec_of(&[
            ("1xx", |m, c, o| m.handle(c, Event::Provisional, o)),
            ("2xx", |m, c, o| m.handle(c, Event::Success, o)),
            ("300-699", |m, c, o| m.handle(c, Event::Failure(&failure()), o)),
            ("CANCEL from TU", |m, c, o| m.handle(c, Event::Cancel(request("CANCEL")), o)),
            ("Timer A", |m, c, o| m.handle(c, Event::Timer(Timer::A), o)),
            ("Timer B", |m, c, o| m.handle(c, Event::Timer(Timer::B), o)),
            ("Timer D", |m, c, o| m.handle(c, Event::Timer(Timer::D), o)),
            ("Timer M", |m, c, o| m.handle(c, Event::Timer(Timer::M), o)),
            ("Timer Cancel", |m, c, o| m.handle(c, Event::Timer(Timer::Cancel), o)),
            ("Transport Err.", |m, c, o| m.handle(c, Event::TransportError, o)),
        ])
    };
    let mut edges = BTreeSet::new();
    let tables = TRANSPORTS.map(|(transport, reliable)| {
        let calling = InviteClient::new(CLOCK, reliable, request("INVITE"), &mut Outbox::default());
        let events = events();
        let feed = |n: usize| &*events.get(n).expect("event").1;
        let states = [
            ("Calling", calling.clone()),
            ("Calling, cancelled", after(&calling, &[feed(3)])),
            ("Proceeding", after(&calling, &[feed(0)])),
            ("Proceeding, cancelled", after(&calling, &[feed(0), feed(3)])),
            ("Accepted", after(&calling, &[feed(1)])),
            ("Completed", after(&calling, &[feed(2)])),
            ("Terminated", after(&calling, &[feed(5)])),
        ];
        (transport, rows(&states, &events, &mut edges))
    });
    golden("invite_client", "INVITE client transaction, RFC 6026 Figure 5", &tables, &edges);
}

#[test]
fn figure_6_non_invite_client() {
    use non_invite_client::Event;
    let events = || -> Vec<(&'static str, Feed<NonInviteClient>)> {
        vec_of(&[
            ("1xx", |m, c, o| m.handle(c, Event::Provisional, o)),
            ("200-699", |m, c, o| m.handle(c, Event::Final, o)),
            ("Timer E", |m, c, o| m.handle(c, Event::Timer(Timer::E), o)),
            ("Timer F", |m, c, o| m.handle(c, Event::Timer(Timer::F), o)),
            ("Timer K", |m, c, o| m.handle(c, Event::Timer(Timer::K), o)),
            ("Transport Err.", |m, c, o| m.handle(c, Event::TransportError, o)),
        ])
    };
    let mut edges = BTreeSet::new();
    let tables = TRANSPORTS.map(|(transport, reliable)| {
        let trying = NonInviteClient::new(CLOCK, reliable, request("BYE"), &mut Outbox::default());
        let events = events();
        let feed = |n: usize| &*events.get(n).expect("event").1;
        let states = [
            ("Trying", trying.clone()),
            ("Proceeding", after(&trying, &[feed(0)])),
            ("Completed", after(&trying, &[feed(1)])),
            ("Terminated", after(&trying, &[feed(3)])),
        ];
        (transport, rows(&states, &events, &mut edges))
    });
    let title = "Non-INVITE client transaction, RFC 3261 Figure 6";
    golden("non_invite_client", title, &tables, &edges);
}

#[test]
fn figure_7_invite_server() {
    use invite_server::Event;
    let events = || -> Vec<(&'static str, Feed<InviteServer>)> {
        vec_of(&[
            ("INVITE", |m, c, o| m.handle(c, Event::Request, o)),
            ("ACK", |m, c, o| m.handle(c, Event::Ack, o)),
            ("1xx from TU", |m, c, o| m.handle(c, Event::Provisional(bytes("1xx")), o)),
            ("2xx from TU", |m, c, o| m.handle(c, Event::Success(bytes("2xx")), o)),
            ("300-699 from TU", |m, c, o| m.handle(c, Event::Failure(bytes("3xx")), o)),
            ("2xx again", |m, c, o| m.handle(c, Event::Again, o)),
            ("taken on by TU", |m, c, o| m.handle(c, Event::Trying, o)),
            ("Timer Trying", |m, c, o| m.handle(c, Event::Timer(Timer::Trying), o)),
            ("Timer G", |m, c, o| m.handle(c, Event::Timer(Timer::G), o)),
            ("Timer H", |m, c, o| m.handle(c, Event::Timer(Timer::H), o)),
            ("Timer I", |m, c, o| m.handle(c, Event::Timer(Timer::I), o)),
            ("Timer L", |m, c, o| m.handle(c, Event::Timer(Timer::L), o)),
            ("Transport Err.", |m, c, o| m.handle(c, Event::TransportError, o)),
        ])
    };
    let mut edges = BTreeSet::new();
    let tables = TRANSPORTS.map(|(transport, reliable)| {
        let invite = Message::parse(request("INVITE")).expect("request");
        let proceeding = InviteServer::new(reliable, invite);
        let events = events();
        let feed = |n: usize| &*events.get(n).expect("event").1;
        let states = [
            ("Proceeding", proceeding.clone()),
            ("Proceeding, taken on", after(&proceeding, &[feed(6)])),
            ("Proceeding, 1xx sent", after(&proceeding, &[feed(2)])),
            ("Accepted", after(&proceeding, &[feed(3)])),
            ("Completed", after(&proceeding, &[feed(4)])),
            ("Confirmed", after(&proceeding, &[feed(4), feed(1)])),
            ("Terminated", after(&proceeding, &[feed(4), feed(9)])),
        ];
        (transport, rows(&states, &events, &mut edges))
    });
    golden("invite_server", "INVITE server transaction, RFC 6026 Figure 7", &tables, &edges);
}

#[test]
fn figure_8_non_invite_server() {
    use non_invite_server::Event;
    let events = || -> Vec<(&'static str, Feed<NonInviteServer>)> {
        vec_of(&[
            ("request", |m, c, o| m.handle(c, Event::Request, o)),
            ("100", |m, c, o| m.handle(c, Event::Provisional(bytes("100")), o)),
            ("200-699 from TU", |m, c, o| m.handle(c, Event::Final(bytes("200")), o)),
            ("Timer Trying", |m, c, o| m.handle(c, Event::Timer(Timer::Trying), o)),
            ("Timer F", |m, c, o| m.handle(c, Event::Timer(Timer::F), o)),
            ("Timer J", |m, c, o| m.handle(c, Event::Timer(Timer::J), o)),
            ("Transport Err.", |m, c, o| m.handle(c, Event::TransportError, o)),
        ])
    };
    let mut edges = BTreeSet::new();
    let tables = TRANSPORTS.map(|(transport, reliable)| {
        let bye = Message::parse(request("BYE")).expect("request");
        let trying = NonInviteServer::new(CLOCK, reliable, bye);
        let events = events();
        let feed = |n: usize| &*events.get(n).expect("event").1;
        let late = |m: &mut NonInviteServer, _: Clock<'_>, _: &mut Outbox<Act>| {
            assert_eq!(m.timers_mut().pop_due(Instant(3_500_000_000)), Some(Timer::Trying));
        };
        let states = [
            ("Trying", trying.clone()),
            ("Trying, T2 reached", after(&trying, &[&late])),
            ("Proceeding", after(&trying, &[&late, feed(1)])),
            ("Completed", after(&trying, &[feed(2)])),
            ("Terminated", after(&trying, &[feed(4)])),
        ];
        (transport, rows(&states, &events, &mut edges))
    });
    let title = "Non-INVITE server transaction, RFC 3261 Figure 8 and RFC 4320";
    golden("non_invite_server", title, &tables, &edges);
}

type Plain<M> = fn(&mut M, Clock<'_>, &mut Outbox<Act>);

fn vec_of<M: 'static>(list: &[(&'static str, Plain<M>)]) -> Vec<(&'static str, Feed<M>)> {
    list.iter().map(|(name, feed)| (*name, Box::new(*feed) as Feed<M>)).collect()
}

#[test]
fn the_ack_to_a_failure_copies_what_17_1_1_3_names_and_nothing_else() {
    //= RFC 3261 §17.1.1.3 type=test
    let invite = bytes(
        "INVITE sip:b@b.example SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1;rport\n\
         Route: <sip:p1;lr>\nRoute: <sip:p2;lr>\nMax-Forwards: 70\n\
         From: <sip:a@a.example>;tag=a\nTo: <sip:b@b.example>\nCall-ID: c\nCSeq: 1 INVITE\n\
         Contact: <sip:a@a.example>\nContent-Type: text/plain\nContent-Length: 12\n\n\
         To: <sip:x>\n\n",
    );
    let want = "ACK sip:b@b.example SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1;rport\n\
         Route: <sip:p1;lr>\nRoute: <sip:p2;lr>\nMax-Forwards: 70\n\
         From: <sip:a@a.example>;tag=a\nTo: <sip:b@b.example>;tag=b\nCall-ID: c\nCSeq: 1 ACK\n\
         Content-Length: 0\n\n";
    assert_eq!(ack::for_failure(&invite, &failure()), bytes(want));
    //= RFC 3261 §9.1 type=test
    let cancel = want
        .replace("ACK", "CANCEL")
        .replace(";tag=b", "")
        .replace("Content-L", "Reason: SIP;cause=200\nContent-L");
    assert_eq!(ack::cancel(&invite, Some("SIP;cause=200")), bytes(&cancel));
    assert_eq!(ack::branch(&invite), "z9hG4bK1");
}
