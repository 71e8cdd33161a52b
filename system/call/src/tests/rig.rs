//! A Node in small: applies effects to plain lists and asserts what must hold at each of them.
use crate::anchor::stream_id;
use crate::call::{Call, Failure, In, State};
use crate::effect::{Effect, LegId, ReqId, TimerKey};
use crate::facts::{Branch, Facts, Here, Route, Setup};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bitspath_core::net::Transport;
use bitspath_core::store::{CdrCause, CdrId, CdrRow};
use bitspath_core::{
    Bytes, Duration, Entropy, Id, Instant, ListenerId, Now, Outbox, UnixTime, freeze,
};
use bitspath_media::{Cmd, Evt, PortNo, Stats, StreamId};
use bitspath_sip::Method;
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::transaction::Timers;
use bitspath_sip::wire::{Message, OutRequest, OutResponse};

pub const CALL: u64 = 7;

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n";
pub const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 10.0.0.12\r\ns=-\r\nc=IN IP4 10.0.0.12\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=sendrecv\r\n";
pub const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\na=sendonly\r\n";
pub const HELD: &str = "v=0\r\no=- 2 2 IN IP4 10.0.0.12\r\ns=-\r\nc=IN IP4 10.0.0.12\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n";

/// One of our own requests, as the rig's peers see it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub leg: LegId,
    pub req: ReqId,
    pub out: OutRequest,
    pub cancelled: bool,
    /// Its final answer, other than a 2xx to an INVITE, has come.
    pub done: bool,
}

pub struct Rig {
    pub call: Call,
    pub now: Now,
    pub entropy: Entropy,
    pub timers: Timers,
    pub ports: Vec<PortNo>,
    pub armed: BTreeMap<TimerKey, Instant>,
    /// Responses by server transaction.
    pub heard: BTreeMap<TxnId, Vec<OutResponse>>,
    pub repeats: usize,
    pub asked: Vec<Asked>,
    pub acks: Vec<(LegId, OutRequest)>,
    acked: BTreeSet<(LegId, ReqId, String)>,
    /// Every 2xx to an INVITE of ours that came in.
    taken_up: BTreeSet<(LegId, ReqId, String)>,
    pub leased: BTreeSet<PortNo>,
    pub freed: BTreeSet<PortNo>,
    pub open: BTreeSet<StreamId>,
    pub media: Vec<Cmd>,
    pub wills: BTreeSet<LegId>,
    pub rows: Vec<CdrRow>,
    pub gone: bool,
    cseq: BTreeMap<LegId, u32>,
    next_txn: u64,
}

pub fn flow(last: u8, transport: Transport) -> Flow {
    Flow {
        listener: ListenerId(0),
        transport,
        local: [192, 0, 2, 1].into(),
        peer: ([10, 0, 0, last], 5060).into(),
        conn: None,
    }
}

pub fn here() -> Here {
    Here { host: "192.0.2.1:5060".to_string(), media: [192, 0, 2, 1].into() }
}

pub fn ring(targets: u8) -> Route {
    let branch = |n: u8| Branch {
        uri: format!("sip:bob@10.0.0.{};ob=x", 12 + n),
        flow: flow(12 + n, if n == 0 { Transport::Tcp } else { Transport::Udp }),
        here: here(),
    };
    Route::Ring { targets: (0..targets).map(branch).collect(), ring: Duration::from_secs(30) }
}

impl Rig {
    pub fn new(route: Route) -> Rig {
        let setup = Setup {
            cdr: CdrId(1),
            tenant: "demo".to_string(),
            caller: "alice".to_string(),
            callee: "bob".to_string(),
            tag: "00aaaa".to_string(),
            flow: flow(11, Transport::Udp),
            here: here(),
            route,
        };
        let now = Now { mono: Instant(1_000_000_000), wall: UnixTime(5_000_000_000) };
        Rig {
            call: Call::new(setup, "call-a", now),
            now,
            entropy: Entropy::new([9; 32]),
            timers: Timers::default(),
            ports: vec![PortNo(10_000), PortNo(10_002)],
            armed: BTreeMap::new(),
            heard: BTreeMap::new(),
            repeats: 0,
            asked: Vec::new(),
            acks: Vec::new(),
            acked: BTreeSet::new(),
            taken_up: BTreeSet::new(),
            leased: BTreeSet::new(),
            freed: BTreeSet::new(),
            open: BTreeSet::new(),
            media: Vec::new(),
            wills: BTreeSet::new(),
            rows: Vec::new(),
            gone: false,
            cseq: BTreeMap::new(),
            next_txn: 0,
        }
    }

    pub fn step(&mut self, input: In<'_>) {
        assert!(!self.gone, "the Node asks nothing of a call that is gone");
        let facts = Facts {
            now: self.now,
            entropy: &self.entropy,
            node: 0,
            call: CALL,
            timers: &self.timers,
            spare_ports: &self.ports,
        };
        let mut out = Outbox::default();
        self.call.step(&facts, input, &mut out);
        // Whatever state it is in, a call is plain data.
        let frozen = freeze::freeze(&self.call);
        self.call = freeze::thaw(&frozen.0).expect("thaws");
        while let Some(effect) = out.pop() {
            self.apply(effect);
        }
    }

    fn apply(&mut self, effect: Effect) {
        assert!(!self.gone, "{effect:?} after Gone");
        match effect {
            Effect::Respond { txn, response } => {
                let heard = self.heard.get_mut(&txn).expect("a transaction of this call");
                let last = heard.last().map(|r| r.status);
                assert!(last.is_none_or(|s| !s.is_final()), "{response:?} after a final");
                heard.push(response);
            }
            Effect::Repeat { txn } => {
                let last = self.heard.get(&txn).and_then(|h| h.last()).expect("a response");
                assert!(last.status.is_success(), "only a 2xx is the call's to repeat");
                self.repeats += 1;
            }
            Effect::Request { leg, req, request, .. } => {
                assert!(self.asked.iter().all(|a| (a.leg, a.req) != (leg, req)), "a number twice");
                let last = self
                    .asked
                    .iter()
                    .rfind(|a| (&a.out.call_id, &a.out.to) == (&request.call_id, &request.to));
                assert!(last.is_none_or(|a| a.out.cseq < request.cseq), "CSeq rises");
                self.asked.push(Asked { leg, req, out: request, cancelled: false, done: false });
            }
            Effect::Cancel { leg, req, .. } => {
                let asked = self.asked.iter_mut().find(|a| (a.leg, a.req) == (leg, req));
                let asked = asked.expect("an INVITE of this call");
                assert!(!asked.cancelled && !asked.done && asked.out.method == Method::Invite);
                asked.cancelled = true;
            }
            Effect::Ack { leg, req, to_tag, request, .. } => {
                self.acked.insert((leg, req, to_tag));
                self.acks.push((leg, request));
            }
            Effect::SetTimer(key, at) => {
                self.armed.insert(key, at);
            }
            Effect::CancelTimer(key) => {
                self.armed.remove(&key);
            }
            Effect::Lease(port) => assert!(self.leased.insert(port), "{port} leased twice"),
            Effect::Free(port) => {
                assert!(self.leased.contains(&port), "{port} was not leased");
                assert!(self.freed.insert(port), "{port} freed twice");
            }
            Effect::Media(cmd) => self.media_command(cmd),
            Effect::Bind { .. } | Effect::Log(_) => {}
            Effect::Will { leg, .. } => {
                self.wills.insert(leg);
            }
            Effect::NoWill { leg } => {
                self.wills.remove(&leg);
            }
            Effect::Cdr(row) => {
                let closed = |r: &CdrRow| r.cause != CdrCause::Open;
                assert!(!self.rows.iter().any(closed), "a record is closed once");
                assert!(closed(&row) || self.rows.is_empty(), "a record is opened once");
                self.rows.push(row);
            }
            Effect::Gone => self.gone = true,
        }
    }

    fn media_command(&mut self, cmd: Cmd) {
        match cmd {
            Cmd::Open { stream, port, .. } => {
                assert!(self.leased.contains(&port) && !self.freed.contains(&port));
                assert!(self.open.insert(stream), "{stream:?} opened twice");
            }
            Cmd::Close { stream } => assert!(self.open.remove(&stream), "{stream:?} is not open"),
            Cmd::Modify { stream, .. } | Cmd::Link { stream, .. } => {
                assert!(self.open.contains(&stream), "{stream:?} is not open");
            }
        }
        self.media.push(cmd);
    }

    fn txn(&mut self) -> TxnId {
        self.next_txn += 1;
        let txn = Id::from_u64(self.next_txn);
        self.heard.insert(txn, Vec::new());
        txn
    }

    /// Alice's first INVITE.
    pub fn start(&mut self, body: Option<&str>) -> TxnId {
        self.cseq.insert(LegId::CALLER, 1);
        let headers = "From: \"Alice A\" <sip:alice@demo.example>;tag=alice1\r\n\
            To: <sip:bob@demo.example>\r\nCall-ID: call-a\r\nMax-Forwards: 70\r\n\
            Supported: timer\r\nSession-Expires: 90\r\nContact: <sip:alice@10.0.0.11>\r\n";
        let msg = request("INVITE", "sip:bob@demo.example", headers, 1, body);
        let txn = self.txn();
        self.step(In::Start { txn, msg: &msg });
        txn
    }

    /// The INVITE that went to a leg first.
    pub fn first_invite(&self, leg: LegId) -> Option<Asked> {
        self.asked.iter().find(|a| a.leg == leg && a.out.method == Method::Invite).cloned()
    }

    /// A response of the peer to our n-th request.
    pub fn reply_to(&mut self, n: usize, status: u16, tag: &str, body: Option<&str>) {
        let Some(asked) = self.asked.get_mut(n) else { return };
        let asked_invite = asked.out.method == Method::Invite;
        if status >= 200 && !(asked_invite && status < 300) {
            asked.done = true;
        }
        let (leg, req, out) = (asked.leg, asked.req, asked.out.clone());
        let to =
            if out.to.contains(";tag=") { out.to.clone() } else { format!("{};tag={tag}", out.to) };
        let text = format!(
            "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
             From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n\
             Contact: <sip:{tag}@10.0.0.12>\r\n{}",
            out.from,
            out.call_id,
            out.cseq,
            out.method,
            tail(body)
        );
        let msg = Message::parse(Bytes::from(text.into_bytes())).expect("a response");
        let to_tag = msg.to_tag().unwrap_or_default().to_string();
        if asked_invite && (200..300).contains(&status) {
            let key = (leg, req, to_tag);
            if self.acked.contains(&key) {
                // The Node sends the kept ACK again and does not trouble the call.
                return;
            }
            self.taken_up.insert(key);
        }
        self.step(In::Response { leg, req, msg: &msg });
    }

    /// A response to the last INVITE of a leg.
    pub fn reply(&mut self, leg: LegId, status: u16, body: Option<&str>) {
        let n = self.asked.iter().rposition(|a| a.leg == leg && a.out.method == Method::Invite);
        self.reply_to(n.expect("an INVITE went there"), status, &format!("bob{}", leg.0), body);
    }

    /// 200 to every request of ours that is no INVITE.
    pub fn confirm_rest(&mut self) {
        for n in 0..self.asked.len() {
            if !self.asked[n].done && self.asked[n].out.method != Method::Invite && !self.gone {
                self.reply_to(n, 200, "any", None);
            }
        }
    }

    pub fn failed(&mut self, n: usize, why: Failure) {
        let Some(asked) = self.asked.get_mut(n).filter(|a| !a.done) else { return };
        asked.done = true;
        let (leg, req) = (asked.leg, asked.req);
        self.step(In::Failed { leg, req, why });
    }

    /// A request of the peer in the dialog of a leg; `None` when there is no dialog to speak in.
    pub fn request(&mut self, leg: LegId, method: &str, body: Option<&str>) -> Option<TxnId> {
        let msg = self.in_dialog(leg, method, body)?;
        let txn = self.txn();
        let flow = self.call.leg(leg).map_or(flow(11, Transport::Udp), |l| l.flow);
        self.step(In::Request { leg, txn, flow, msg: &msg });
        Some(txn)
    }

    pub fn ack(&mut self, leg: LegId, body: Option<&str>) {
        if let Some(msg) = self.in_dialog(leg, "ACK", body) {
            self.step(In::Ack { leg, msg: &msg });
        }
    }

    fn in_dialog(&mut self, leg: LegId, method: &str, body: Option<&str>) -> Option<Message> {
        let cseq = self.cseq.entry(leg).or_insert(100);
        if method != "ACK" {
            *cseq += 1;
        }
        let cseq = *cseq;
        let headers = if leg == LegId::CALLER {
            "From: <sip:alice@demo.example>;tag=alice1\r\nTo: <sip:bob@demo.example>;tag=00aaaa\r\n\
             Call-ID: call-a\r\nMax-Forwards: 70\r\nContact: <sip:alice@10.0.0.11>\r\n"
                .to_string()
        } else {
            let first = self.first_invite(leg)?;
            format!(
                "From: {};tag=bob{}\r\nTo: {}\r\nCall-ID: {}\r\nMax-Forwards: 70\r\n\
                 Contact: <sip:bob@10.0.0.12>\r\n",
                first.out.to, leg.0, first.out.from, first.out.call_id
            )
        };
        Some(request(method, "sip:x@192.0.2.1", &headers, cseq, body))
    }

    pub fn cancel(&mut self, txn: TxnId) {
        self.step(In::Cancelled { leg: LegId::CALLER, txn });
    }

    /// Lets the next deadline pass; false when none is armed.
    pub fn fire(&mut self) -> bool {
        let Some((key, at)) = self.armed.iter().map(|(k, at)| (*k, *at)).min_by_key(|(_, at)| *at)
        else {
            return false;
        };
        self.armed.remove(&key);
        self.advance(at.since(self.now.mono));
        self.step(In::Timer(key));
        true
    }

    pub fn advance(&mut self, by: Duration) {
        self.now = Now { mono: self.now.mono + by, wall: self.now.wall + by };
    }

    pub fn closed(&mut self, side: usize, packets_in: u64) {
        let stats = Stats { packets_in, ..Stats::default() };
        self.step(In::Media(&Evt::Closed { stream: stream_id(CALL, side), stats }));
    }

    /// Statuses that this transaction was given.
    pub fn statuses(&self, txn: TxnId) -> Vec<u16> {
        self.heard[&txn].iter().map(|r| r.status.0).collect()
    }

    /// The body of the last response to this transaction.
    pub fn body(&self, txn: TxnId) -> String {
        let last = self.heard[&txn].last().expect("a response");
        text(&last.body)
    }

    pub fn cause(&self) -> CdrCause {
        self.rows.last().expect("a record").cause
    }

    /// An answered call between alice and bob.
    pub fn up(targets: u8) -> (Rig, TxnId) {
        let mut rig = Rig::new(ring(targets));
        let txn = rig.start(Some(OFFER));
        rig.reply(LegId(1), 180, None);
        rig.reply(LegId(1), 200, Some(ANSWER));
        rig.ack(LegId::CALLER, None);
        assert_eq!(rig.call.state(), State::Up);
        (rig, txn)
    }

    /// What must hold when a call is over, whatever happened to it.
    pub fn assert_at_rest(&self) {
        assert!(self.gone, "the call is not gone: {:?}", self.call);
        assert_eq!(self.leased, self.freed, "every port is freed");
        assert_eq!(self.taken_up, self.acked, "every 2xx has its ACK");
        assert!(self.open.is_empty(), "every stream is closed: {:?}", self.open);
        assert!(self.armed.is_empty(), "no timer is left: {:?}", self.armed);
        assert!(self.wills.is_empty(), "no dialog is left: {:?}", self.wills);
        let closed = self.rows.iter().filter(|r| r.cause != CdrCause::Open).count();
        assert_eq!(closed, 1, "one closed record: {:?}", self.rows);
        for (txn, heard) in &self.heard {
            let finals = heard.iter().filter(|r| r.status.is_final()).count();
            assert_eq!(finals, 1, "one final for {txn:?}: {heard:?}");
        }
    }
}

pub fn text(body: &Option<bitspath_sip::wire::Body>) -> String {
    body.as_ref().map_or(String::new(), |b| String::from_utf8_lossy(&b.bytes).into_owned())
}

fn request(method: &str, uri: &str, headers: &str, cseq: u32, body: Option<&str>) -> Message {
    let text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK{cseq}\r\n\
         {headers}CSeq: {cseq} {method}\r\n{}",
        tail(body)
    );
    Message::parse(Bytes::from(text.into_bytes())).expect("a request")
}

fn tail(body: Option<&str>) -> String {
    match body {
        Some(sdp) => {
            format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
        }
        None => "Content-Length: 0\r\n\r\n".to_string(),
    }
}
