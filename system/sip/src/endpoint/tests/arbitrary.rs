//! No sequence of messages, answers, connections and time makes the endpoint panic or keep
//! anything that it should not.
use super::*;
use bitspath_core::ConnId;
use bitspath_core::freeze::{freeze, thaw};
use bitspath_core::net::{CloseReason, StreamKind};
use proptest::prelude::*;

const METHODS: [&str; 7] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "FOO"];
const OURS: [Method; 4] = [Method::Invite, Method::Bye, Method::Options, Method::Cancel];
const VIAS: [&str; 6] = [
    "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKa",
    "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKb;rport",
    "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK",
    "SIP/2.0/TCP old.example",
    "SIP/2.0/UDP 0.0.0.0:0;maddr=255.255.255.255",
    "not a via",
];
const STATUS: [u16; 9] = [100, 180, 199, 200, 202, 302, 408, 486, 603];

#[derive(Default)]
struct Seen {
    servers: Vec<TxnId>,
    clients: Vec<TxnId>,
    requests: Vec<Bytes>,
}

type Op = (u8, u8, u8, u8);

fn pick<T: Copy>(list: &[T], at: u8) -> Option<T> {
    list.get(usize::from(at) % list.len().max(1)).copied()
}

fn apply(b: &mut Bench, seen: &mut Seen, (kind, x, y, z): Op) {
    let conn = ConnId(u64::from(x % 3) + 1);
    match kind % 12 {
        0..=3 => {
            let text = incoming(x, y, z);
            match kind % 12 {
                0 => b.data_on(ConnId(2), &text),
                _ => b.receive(&text),
            }
        }
        4 => {
            if let Some(request) = seen.requests.get(usize::from(x) % seen.requests.len().max(1)) {
                let status = pick(&STATUS, y).unwrap_or(200);
                let text = answer(request, status);
                let text = if z == 0 { text.replace("SIP/2.0/", "SIP/2.0/X") } else { text };
                b.receive(&text);
            }
        }
        5 | 6 => {
            if let (Some(txn), Some(status)) = (pick(&seen.servers, x), pick(&STATUS, y)) {
                b.respond(txn, status);
                if z.is_multiple_of(4) {
                    b.ep.trying(b.now, txn);
                    b.ep.retransmit(b.now, txn);
                }
            }
        }
        7 => {
            let method = pick(&OURS, x).unwrap_or(Method::Bye);
            let transport = if y.is_multiple_of(3) { Transport::Tcp } else { Transport::Udp };
            let flow = Flow { transport, ..udp_flow() };
            let asked = b.ep.request(b.now, OWNER, flow, SENT_BY, out_request(method));
            seen.clients.push(asked.expect("room"));
        }
        8 => {
            if let Some(txn) = pick(&seen.clients, x) {
                b.ep.cancel(b.now, txn, None);
            }
        }
        9 => b.pass(b.now.mono.0 / 1_000_000 + u64::from(y) * 40),
        10 => stream(b, conn, y, z),
        _ => b.ep = thaw(&freeze(&b.ep).0).expect("thaws"),
    }
}

fn incoming(x: u8, y: u8, z: u8) -> String {
    let method = pick(&METHODS, x).unwrap_or("INVITE");
    let via = pick(&VIAS, y).unwrap_or("x");
    let mut text = request_text(method, "x", u32::from(z % 3), "");
    text = text.replace("SIP/2.0/UDP 192.0.2.77:5060;branch=x", via);
    if z & 4 > 0 {
        text = text.replace("To: <sip:bob@pbx.example>", "To: <sip:bob@pbx.example>;tag=t");
    }
    if z & 8 > 0 {
        text = text.replace("Call-ID", "Max-Forwards");
    }
    if z & 16 > 0 {
        text.truncate(usize::from(y) * 2);
    }
    text
}

fn stream(b: &mut Bench, conn: ConnId, y: u8, z: u8) {
    let (listener, peer, local) = (ListenerId(0), addr("192.0.2.77:5060"), addr(SENT_BY));
    let input = match y % 5 {
        0 | 1 => NetIn::Opened { conn, listener, peer, local, kind: StreamKind::Tcp },
        2 => NetIn::Closed { conn, reason: CloseReason::Eof },
        3 => NetIn::Writable { conn, bytes_done: u32::from(z) * 9 },
        _ => NetIn::Icmp { listener, peer, reason: CloseReason::Unreachable },
    };
    b.ep.handle(b.now, input);
}

impl Bench {
    fn data_on(&mut self, conn: ConnId, text: &str) {
        self.ep.handle(self.now, NetIn::Data { conn, bytes: crlf(text) });
    }

    fn look(&mut self, seen: &mut Seen) {
        for event in self.events() {
            if let Event::Request { txn, .. } = event {
                seen.servers.push(txn);
            }
        }
        while let Some(out) = self.ep.poll_output() {
            if let NetOut::Datagram { bytes, .. } | NetOut::Write { bytes, .. } = out
                && Message::parse(bytes.clone()).is_ok_and(|m| m.is_request())
            {
                seen.requests.push(bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nothing_panics_and_everything_ends(ops in proptest::collection::vec(any::<Op>(), 1..70)) {
        let (mut b, mut seen) = (Bench::new(), Seen::default());
        b.ep.handle(b.now, NetIn::Opened {
            conn: ConnId(2),
            listener: ListenerId(0),
            peer: addr("192.0.2.77:5060"),
            local: addr(SENT_BY),
            kind: StreamKind::Tcp,
        });
        for op in ops {
            apply(&mut b, &mut seen, op);
            b.look(&mut seen);
        }
        for txn in &seen.servers {
            b.respond(*txn, 500);
        }
        for txn in &seen.clients {
            b.ep.cancel(b.now, *txn, None);
        }
        b.pass(b.now.mono.0 / 1_000_000 + 200_000);
        let audit = b.audit();
        let alive: Vec<_> = audit.alive(&["connections", "endpoint outputs"]).collect();
        prop_assert!(alive.is_empty(), "{:?}", alive);
    }

    #[test]
    fn arbitrary_octets_do_no_harm(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8),
    ) {
        let mut b = Bench::new();
        let (listener, peer, local) = (ListenerId(0), addr("192.0.2.77:5060"), addr(SENT_BY));
        let (conn, kind) = (ConnId(2), StreamKind::Tcp);
        b.ep.handle(b.now, NetIn::Opened { conn, listener, peer, local, kind });
        for chunk in chunks {
            let bytes = Bytes::from(chunk);
            b.ep.handle(b.now, NetIn::Data { conn, bytes: bytes.clone() });
            b.ep.handle(b.now, NetIn::Datagram { listener, peer, local, bytes });
        }
        prop_assert!(b.is_at_rest());
    }
}
