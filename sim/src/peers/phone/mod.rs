//! A simulated phone: RFC 3261 seen from the other side, with transactions and dialogs of its own.
//!
//!   user (ladder) ──Do──▶ calls ─▶ client transactions ─▶ UDP or TCP ─▶ the World
//!                          ▲  └──▶ server transactions ─▶
//!                          └────── RTP sender and receiver, each packet stamped with its sender
//!
//! Unasked it answers challenges, ACKs finals, answers BYE, CANCEL, OPTIONS and re-INVITE, sends
//! again what UDP lost. What the ladder shows it leaves to the ladder ([`Habits`]).
//! Missing: forking (a second 2xx), PRACK, session timers.
mod calls;
mod client;
mod command;
mod media;
mod server;

pub use calls::{Call, Stage};
pub use command::Do;
pub use media::{Ear, STAMP};

use crate::host::{Host, StreamId};
use crate::kernel::Cx;
use crate::mix::{Draw, mix};
use crate::seen::Seen;
use crate::stream::StreamIn;
use bitspath_core::net::CloseReason;
use bitspath_core::{Duration, Instant};
use bytes::{Bytes, BytesMut};
use client::Client;
use server::Server;
use std::net::SocketAddr;

pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const T2: Duration = Duration::from_secs(4);
/// 64*T1: the end of every transaction, RFC 3261 §17.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(32);

/// Who the phone is and where it stands.
#[derive(Clone, Debug)]
pub struct Identity {
    pub name: String,
    pub number: String,
    pub domain: String,
    /// Digest user, when it is not the number.
    pub user: Option<String>,
    pub password: String,
    pub local: SocketAddr,
    pub server: SocketAddr,
    pub tcp: bool,
    pub expires: u32,
    /// Sent in every request, so that the tenant oracle can look for it elsewhere.
    pub secret: String,
}

/// What the phone does without being asked.
#[derive(Clone, Debug)]
pub struct Habits {
    pub ack: bool,
    pub answer_bye: bool,
    pub answer_cancel: bool,
    pub answer_reinvite: bool,
    pub answer_challenge: bool,
    /// Rings at once and answers a call after this long; `None` leaves it to the ladder.
    pub pick_up: Option<Duration>,
    /// Refuses every call with this status.
    pub refuse: Option<u16>,
}

impl Default for Habits {
    fn default() -> Self {
        Habits {
            ack: true,
            answer_bye: true,
            answer_cancel: true,
            answer_reinvite: true,
            answer_challenge: true,
            pick_up: None,
            refuse: None,
        }
    }
}

#[derive(Debug, Default)]
struct Connection {
    stream: Option<StreamId>,
    up: bool,
    waiting: Vec<Bytes>,
    inbox: BytesMut,
}

#[derive(Debug)]
pub struct Phone {
    pub id: Identity,
    pub habits: Habits,
    clients: Vec<Client>,
    servers: Vec<Server>,
    pub calls: Vec<Call>,
    connection: Connection,
    /// Draws so far: tags, branches and Call-IDs never repeat.
    drawn: u64,
    register_cseq: u32,
    pub registered_until: Option<Instant>,
    /// When to register again unasked.
    refresh_at: Option<Instant>,
    pub contacts: usize,
    due: Option<Instant>,
    /// Digest challenge last answered, for requests that come later.
    challenge: Option<(super::digest::Challenge, u32)>,
    talks: Vec<media::Talk>,
    pub ears: Vec<Ear>,
    /// Final statuses of requests outside calls, newest last.
    pub finals: Vec<(String, u16)>,
    /// Contact URI addresses that requests were sent to by mistake of the other side.
    pub lost: u32,
}

impl Phone {
    pub fn new(id: Identity, habits: Habits) -> Phone {
        Phone {
            id,
            habits,
            clients: Vec::new(),
            servers: Vec::new(),
            calls: Vec::new(),
            connection: Connection::default(),
            drawn: 0,
            register_cseq: 0,
            registered_until: None,
            refresh_at: None,
            contacts: 0,
            due: None,
            challenge: None,
            talks: Vec::new(),
            ears: Vec::new(),
            finals: Vec::new(),
            lost: 0,
        }
    }

    /// A token that this phone never draws again.
    fn token(&mut self, cx: &Cx<'_>) -> String {
        self.drawn += 1;
        let draw = mix(cx.seed(), u64::from(cx.host.0), self.drawn, Draw::Phone);
        super::digest::hex(&draw.to_be_bytes())
    }

    pub fn aor(&self) -> String {
        format!("sip:{}@{}", self.id.number, self.id.domain)
    }

    fn contact(&self) -> String {
        let transport = if self.id.tcp { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{transport}>", self.id.number, self.id.local)
    }

    /// Sends to the server or, inside a dialog, to where its Contact points.
    fn transmit(&mut self, cx: &mut Cx<'_>, to: SocketAddr, bytes: Bytes) {
        if !self.id.tcp {
            return cx.send(self.id.local, to, bytes);
        }
        match self.connection.stream {
            Some(stream) if self.connection.up => cx.write(stream, bytes),
            Some(_) => self.connection.waiting.push(bytes),
            None => {
                self.connection.waiting.push(bytes);
                let stream = cx.connect(self.id.local, self.id.server);
                self.connection.stream = Some(stream);
            }
        }
    }

    fn message(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: Bytes) {
        let Ok(seen) = Seen::parse(&bytes) else { return };
        if seen.is_request() {
            self.request_came(cx, from, seen);
        } else {
            self.response_came(cx, seen);
        }
    }

    fn settle(&mut self) {
        let mut due: Option<Instant> = None;
        let mut sooner = |at: Option<Instant>| {
            if let Some(at) = at {
                due = Some(due.map_or(at, |d| d.min(at)));
            }
        };
        self.clients.iter().for_each(|c| sooner(c.due()));
        self.servers.iter().for_each(|s| sooner(s.due()));
        self.calls.iter().for_each(|c| sooner(c.pick_up_at));
        self.talks.iter().for_each(|t| sooner(Some(t.next)));
        sooner(self.refresh_at);
        self.due = due;
    }

    /// What this phone still waits for: nothing, when it is at rest.
    pub fn pending(&self) -> Option<String> {
        let client = self.clients.iter().find(|c| c.is_waiting());
        if let Some(c) = client {
            return Some(format!("{} waits for an answer to {}", self.id.name, c.method()));
        }
        let call = self.calls.iter().find(|c| c.stage != Stage::Over);
        call.map(|c| format!("{} has a call that is {:?}", self.id.name, c.stage))
    }

    /// Stops refreshing and everything else that would never end by itself.
    pub fn retire(&mut self) {
        self.refresh_at = None;
        self.talks.clear();
        self.settle();
    }

    /// Power off and on: forgets everything but who it is.
    pub fn reboot(&mut self) {
        let drawn = self.drawn;
        *self = Phone::new(self.id.clone(), self.habits.clone());
        self.drawn = drawn;
    }

    /// CRLF keep-alive, RFC 5626 §3.5.1, or whatever else: octets straight to the server.
    pub fn raw(&mut self, cx: &mut Cx<'_>, bytes: Bytes) {
        self.transmit(cx, self.id.server, bytes);
        self.settle();
    }
}

impl Host for Phone {
    fn packet(&mut self, cx: &mut Cx<'_>, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        if to.port() == self.id.local.port() {
            self.message(cx, from, bytes);
        } else {
            self.rtp_came(cx, from, to, &bytes);
        }
        self.settle();
    }

    fn stream(&mut self, cx: &mut Cx<'_>, stream: StreamId, input: StreamIn) {
        if self.connection.stream != Some(stream) {
            return;
        }
        match input {
            StreamIn::Opened { .. } => {
                self.connection.up = true;
                for bytes in std::mem::take(&mut self.connection.waiting) {
                    cx.write(stream, bytes);
                }
            }
            StreamIn::Data(bytes) => {
                self.connection.inbox.extend_from_slice(&bytes);
                self.frames(cx);
            }
            StreamIn::Written(_) => {}
            StreamIn::Closed(reason) => {
                self.connection = Connection::default();
                self.stream_closed(cx, reason);
            }
        }
        self.settle();
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now().mono;
        self.client_timers(cx, now);
        self.server_timers(cx, now);
        self.call_timers(cx, now);
        self.talk(cx, now);
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.register(cx, self.id.expires);
        }
        self.settle();
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Phone {
    /// RFC 3261 §18.3: messages on a stream end where Content-Length says.
    fn frames(&mut self, cx: &mut Cx<'_>) {
        loop {
            let inbox = &mut self.connection.inbox;
            while inbox.starts_with(b"\r\n") {
                let _ = inbox.split_to(2);
            }
            let Ok(seen) = Seen::parse(&Bytes::copy_from_slice(inbox)) else { return };
            let message = inbox.split_to(seen.len()).freeze();
            self.message(cx, self.id.server, message);
        }
    }

    /// The connection is gone, and with it the registration: make both anew.
    fn stream_closed(&mut self, cx: &mut Cx<'_>, _reason: CloseReason) {
        for client in &mut self.clients {
            client.fail();
        }
        if self.registered_until.take().is_some() {
            self.refresh_at = Some(cx.now().mono + Duration::from_secs(1));
        }
    }
}
