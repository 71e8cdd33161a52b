//! The registrar against a naive one: a plain list, searched and rewritten in full for each
//! request, with RFC 3261 §10.3 written down a second time.
use super::*;
use crate::Act;
use bitspath_core::node::Audit;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    /// Call-ID, CSeq, contacts, carrier.
    Register(u8, u32, Vec<Asked>, Carrier),
    Star(u8, u32),
    Query,
    Close(u8),
    Pass(u16),
    Freeze,
}

#[derive(Clone, Debug)]
struct Asked {
    user: u8,
    instance: Option<u8>,
    expires: Option<u16>,
    q: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Carrier {
    Udp,
    Conn(u8),
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    user: u8,
    instance: Option<u8>,
    q: u16,
    call: u8,
    cseq: u32,
    until: u64,
    carrier: Carrier,
    age: u64,
    mine: bool,
}

#[derive(Default)]
struct Model {
    rows: Vec<Row>,
    now: u64,
    age: u64,
}

impl Model {
    /// 200 changes the rows, anything else does not.
    fn register(&mut self, call: u8, cseq: u32, asked: &[Asked], carrier: Carrier) -> u16 {
        if asked.iter().any(|a| a.expires.is_some_and(|s| s > 0 && s < 60)) {
            return 423;
        }
        let before = (self.rows.clone(), self.age);
        self.rows.iter_mut().for_each(|r| r.mine = false);
        for a in asked {
            if !self.one(call, cseq, a, carrier) {
                (self.rows, self.age) = before;
                return 500;
            }
        }
        while self.rows.len() > 10 {
            let oldest = self.rows.iter().map(|r| r.age).min();
            self.rows.retain(|r| Some(r.age) != oldest);
        }
        200
    }

    fn one(&mut self, call: u8, cseq: u32, a: &Asked, carrier: Carrier) -> bool {
        let removal = a.expires == Some(0);
        let has_uri = self.rows.iter().any(|r| r.user == a.user);
        let hit = |r: &Row| {
            let instance = a.instance.is_some() && r.instance == a.instance;
            match removal {
                true if has_uri => r.user == a.user,
                true => instance && !r.mine,
                false => r.user == a.user || instance,
            }
        };
        if self.rows.iter().any(|r| hit(r) && !r.mine && r.call == call && r.cseq >= cseq) {
            return false;
        }
        let place = self.rows.iter().position(&hit);
        let mut n = 0;
        self.rows.retain(|r| {
            n += 1;
            !hit(r) || (!removal && Some(n - 1) == place)
        });
        if removal {
            return true;
        }
        self.age += 1;
        let seconds = a.expires.map_or(3600, u64::from).min(7200);
        let row = Row {
            user: a.user,
            instance: a.instance,
            q: a.q.map_or(1000, |q| u16::from(q) * 100),
            call,
            cseq,
            until: self.now + seconds,
            carrier,
            age: self.age,
            mine: true,
        };
        match place.and_then(|n| self.rows.get_mut(n)) {
            Some(place) => *place = row,
            None => self.rows.push(row),
        }
        true
    }

    fn star(&mut self, call: u8, cseq: u32) -> u16 {
        if self.rows.iter().any(|r| r.call == call && r.cseq >= cseq) {
            return 500;
        }
        self.rows.clear();
        200
    }

    fn echoed(&self) -> Vec<String> {
        let echo = |r: &Row| {
            format!("{};expires={}", written(r.user, r.instance, r.q), r.until - self.now)
        };
        self.rows.iter().map(echo).collect()
    }

    fn ranked(&self) -> Vec<String> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|r| core::cmp::Reverse((r.q, r.age)));
        rows.into_iter().map(|r| format!("sip:{}@h", r.user)).collect()
    }
}

fn written(user: u8, instance: Option<u8>, q: u16) -> String {
    let mut text = format!("<sip:{user}@h>");
    if let Some(i) = instance {
        text.push_str(&format!(";+sip.instance=\"<urn:uuid:{i}>\""));
    }
    if q != 1000 {
        text.push_str(&format!(";q=0.{}", q / 100));
    }
    text
}

fn line(a: &Asked) -> String {
    let text = written(a.user, a.instance, a.q.map_or(1000, |q| u16::from(q) * 100));
    match a.expires {
        Some(s) => format!("Contact: {text};expires={s}"),
        None => format!("Contact: {text}"),
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let expires = prop_oneof![
        4 => Just(None),
        2 => Just(Some(0u16)),
        1 => (1u16..60).prop_map(Some),
        4 => (60u16..9000).prop_map(Some),
    ];
    let asked = (0u8..14, prop::option::weighted(0.3, 0u8..3), expires, prop::option::of(0u8..10))
        .prop_map(|(user, instance, expires, q)| Asked { user, instance, expires, q });
    let carrier = prop_oneof![Just(Carrier::Udp), (0u8..3).prop_map(Carrier::Conn)];
    let cseq = 0u32..12;
    let list = prop::collection::vec(asked, 1..5);
    let one = prop_oneof![
        8 => (0u8..3, cseq.clone(), list, carrier)
            .prop_map(|(call, cseq, list, carrier)| Op::Register(call, cseq, list, carrier)),
        1 => (0u8..3, cseq).prop_map(|(c, n)| Op::Star(c, n)),
        1 => Just(Op::Query),
        1 => (0u8..3).prop_map(Op::Close),
        2 => (0u16..4000).prop_map(Op::Pass),
        1 => Just(Op::Freeze),
    ];
    prop::collection::vec(one, 1..40)
}

/// What the writes left on disk.
fn apply(store: &mut BTreeMap<String, u64>, writes: &[Write]) {
    for w in writes {
        match w {
            Write::PutBinding(row) => store.insert(row.contact.clone(), row.expires.as_secs()),
            Write::DeleteBinding { contact, .. } => store.remove(contact),
            Write::PutCdr(_) => None,
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_registrar_does_what_a_naive_one_does(ops in ops()) {
        let (mut r, mut model, mut store) = (registrar(), Model::default(), BTreeMap::new());
        for op in ops {
            let now = at(model.now);
            let (done, want) = match &op {
                Op::Register(call, cseq, asked, carrier) => {
                    let lines: Vec<String> = asked.iter().map(line).collect();
                    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                    let flow = match carrier {
                        Carrier::Udp => udp(1, 5060),
                        Carrier::Conn(n) => tcp(u64::from(*n)),
                    };
                    let request = register(&format!("c{call}"), *cseq, &lines);
                    let done = send_over(&mut r, now, &request, flow);
                    (Some(done), model.register(*call, *cseq, asked, *carrier))
                }
                Op::Star(call, cseq) => {
                    let request = register(&format!("c{call}"), *cseq, &["Contact: *", "Expires: 0"]);
                    (Some(send(&mut r, now, &request)), model.star(*call, *cseq))
                }
                Op::Query => (Some(send(&mut r, now, &register("q", 1, &[]))), 200),
                Op::Close(n) => {
                    r.conn_closed(ConnId(u64::from(*n)));
                    model.rows.retain(|row| row.carrier != Carrier::Conn(*n));
                    (None, 0)
                }
                Op::Pass(seconds) => {
                    model.now += u64::from(*seconds);
                    let now = at(model.now).mono;
                    while r.poll_timeout().is_some_and(|(due, _)| due <= now) {
                        r.handle_timeout(now);
                    }
                    while let Some(act) = r.poll_output() {
                        if let Act::Write(w) = act {
                            apply(&mut store, &[w]);
                        }
                    }
                    model.rows.retain(|row| row.until > model.now);
                    (None, 0)
                }
                Op::Freeze => {
                    let frozen = bitspath_core::freeze::freeze(&r);
                    r = bitspath_core::freeze::thaw(&frozen.0).expect("thaws");
                    prop_assert_eq!(&bitspath_core::freeze::freeze(&r), &frozen);
                    (None, 0)
                }
            };
            if let Some(done) = done {
                prop_assert_eq!(done.response.status.0, want, "{:?}", op);
                if want == 200 {
                    prop_assert_eq!(contacts(&done), model.echoed());
                } else {
                    prop_assert!(done.writes.is_empty() && done.changes.is_empty());
                }
                apply(&mut store, &done.writes);
            }
            prop_assert_eq!(uris(&r), model.ranked());
            let udp_rows = model.rows.iter().filter(|row| row.carrier == Carrier::Udp);
            let on_disk: BTreeMap<String, u64> = udp_rows
                .map(|row| (written(row.user, row.instance, row.q), at(row.until).wall.as_secs()))
                .collect();
            prop_assert_eq!(&store, &on_disk);
            let mut audit = Audit::default();
            r.audit(&mut audit);
            prop_assert_eq!(audit.0["bindings"] as usize, model.rows.len());
        }
    }
}
