//! The endpoint from outside: messages in, messages and events out, on a clock of our own.
mod arbitrary;
mod lossy;
mod matching;
mod refusals;
mod streams;
mod timing;

use super::*;
use crate::wire::{Message, OutRequest, OutResponse};
use crate::{Method, Status};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::net::Transport;
use bitspath_core::{Bytes, ListenerId, NetIn, UnixTime};
use core::net::{IpAddr, SocketAddr};

pub(super) const OWNER: Owner = Owner { call: 1, leg: 2, req: 3 };
pub(super) const SENT_BY: &str = "192.0.2.1:5060";

pub(super) fn at_ms(ms: u64) -> Now {
    Now { mono: Instant(ms * 1_000_000), wall: UnixTime(0) }
}

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

pub(super) fn crlf(text: &str) -> Bytes {
    Bytes::from(text.replace('\n', "\r\n"))
}

/// One endpoint on a bench.
pub(super) struct Bench {
    pub ep: Endpoint,
    pub now: Now,
}

impl Bench {
    pub fn new() -> Bench {
        let ep = Endpoint::new(Entropy::new([5; 32]), 9, Timers::default());
        Bench { ep, now: at_ms(0) }
    }

    /// A datagram from 192.0.2.77:5060.
    pub fn receive(&mut self, text: &str) {
        self.receive_from("192.0.2.77:5060", text);
    }

    pub fn receive_from(&mut self, peer: &str, text: &str) {
        let (listener, local) = (ListenerId(0), addr(SENT_BY));
        let input = NetIn::Datagram { listener, peer: addr(peer), local, bytes: crlf(text) };
        self.ep.handle(self.now, input);
    }

    /// Fires every deadline up to `ms`.
    pub fn pass(&mut self, ms: u64) {
        while let Some((due, _)) = self.ep.poll_timeout().filter(|(due, _)| *due <= at_ms(ms).mono)
        {
            self.now.mono = due.max(self.now.mono);
            self.ep.handle_timeout(self.now);
        }
        self.now = at_ms(ms);
    }

    /// Start lines of what has been sent since.
    pub fn sent(&mut self) -> Vec<String> {
        self.datagrams().iter().map(|(_, m)| first_line(m)).collect()
    }

    pub fn datagrams(&mut self) -> Vec<(SocketAddr, Bytes)> {
        let outputs = core::iter::from_fn(|| self.ep.poll_output());
        outputs
            .filter_map(|out| match out {
                NetOut::Datagram { peer, bytes, .. } => Some((peer, bytes)),
                _ => None,
            })
            .collect()
    }

    pub fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.ep.poll_event()).collect()
    }

    /// The transaction of the one request that has been reported.
    pub fn request(&mut self) -> TxnId {
        match self.events().as_slice() {
            [Event::Request { txn, .. }] => *txn,
            other => panic!("one request was expected: {other:?}"),
        }
    }

    pub fn respond(&mut self, txn: TxnId, status: u16) {
        self.ep.respond(self.now, txn, OutResponse::new(Status(status)));
    }

    pub fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        self.ep.audit(&mut audit);
        audit
    }

    pub fn is_at_rest(&self) -> bool {
        self.audit().alive(&["connections", "endpoint outputs"]).next().is_none()
    }
}

pub(super) fn first_line(bytes: &Bytes) -> String {
    let text = core::str::from_utf8(bytes).expect("text");
    text.split("\r\n").next().unwrap_or("").to_string()
}

pub(super) fn request_text(method: &str, branch: &str, cseq: u32, more: &str) -> String {
    format!(
        "{method} sip:bob@pbx.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.77:5060;branch={branch}
Max-Forwards: 70
From: <sip:alice@pbx.example>;tag=al
To: <sip:bob@pbx.example>
Call-ID: c1
CSeq: {cseq} {method}
Contact: <sip:alice@192.0.2.77>
{more}Content-Length: 0

"
    )
}

pub(super) fn udp_flow() -> Flow {
    Flow {
        listener: ListenerId(0),
        transport: Transport::Udp,
        local: IpAddr::from([192, 0, 2, 1]),
        peer: addr("192.0.2.77:5060"),
        conn: None,
    }
}

pub(super) fn out_request(method: Method) -> OutRequest {
    OutRequest {
        method,
        uri: "sip:alice@192.0.2.77".into(),
        routes: Vec::new(),
        from: "<sip:bob@pbx.example>;tag=bo".into(),
        to: "<sip:alice@pbx.example>".into(),
        call_id: "c2".into(),
        cseq: 1,
        contact: Some("<sip:bob@192.0.2.1>".into()),
        max_forwards: 70,
        extra: Vec::new(),
        body: None,
    }
}

/// What a peer answers to `request`.
pub(super) fn answer(request: &Bytes, status: u16) -> String {
    let message = Message::parse(request.clone()).expect("our own request");
    let mut response = OutResponse::new(Status(status));
    response.to_tag = (status != 100).then(|| "peer".into());
    let bytes = response.emit(&message, false);
    core::str::from_utf8(&bytes).expect("text").replace("\r\n", "\n")
}
