//! The phone's server transactions — RFC 3261 §17.2, Figures 7 and 8: repeats its last response
//! to a repeated request, and a final to INVITE (2xx too, §13.3.1.4) until the ACK comes.
use super::{Phone, T1, T2, TIMEOUT};
use crate::kernel::Cx;
use crate::seen::Seen;
use bitspath_core::{Duration, Instant};
use bytes::Bytes;
use std::net::SocketAddr;

#[derive(Debug)]
pub(super) struct Server {
    pub branch: String,
    pub request: Seen,
    from: SocketAddr,
    last: Option<Bytes>,
    pub status: u16,
    interval: Duration,
    again_at: Option<Instant>,
    ends_at: Instant,
    pub acked: bool,
    pub call: Option<usize>,
}

impl Server {
    pub fn due(&self) -> Option<Instant> {
        if self.status < 200 {
            return None;
        }
        Some(self.again_at.map_or(self.ends_at, |at| at.min(self.ends_at)))
    }
}

impl Phone {
    pub(super) fn request_came(&mut self, cx: &mut Cx<'_>, from: SocketAddr, seen: Seen) {
        if seen.method() == "ACK" {
            return self.ack_came(cx, &seen);
        }
        let known = self
            .servers
            .iter()
            .position(|s| s.branch == seen.branch() && s.request.method() == seen.method());
        if let Some(at) = known {
            if let Some(last) = self.servers.get(at).and_then(|s| s.last.clone()) {
                self.transmit(cx, from, last);
            }
            return;
        }
        let at = self.servers.len();
        self.servers.push(Server {
            branch: seen.branch().to_owned(),
            request: seen.clone(),
            from,
            last: None,
            status: 0,
            interval: T1,
            again_at: None,
            ends_at: cx.now().mono + TIMEOUT,
            acked: false,
            call: None,
        });
        self.serve(cx, at, &seen);
    }

    /// Answers a server transaction; a final of an INVITE is repeated until its ACK.
    pub(super) fn respond(
        &mut self,
        cx: &mut Cx<'_>,
        at: usize,
        status: u16,
        headers: &[(String, String)],
        body: Option<String>,
    ) {
        let now = cx.now().mono;
        let contact = self.contact();
        let tag = self.tag_for(cx, at);
        let Some(s) = self.servers.get_mut(at) else { return };
        let mut out = format!("SIP/2.0 {status} {}\r\n", reason(status));
        for (name, value) in s.request.headers() {
            if name.eq_ignore_ascii_case("Via") {
                out += &format!("Via: {value}\r\n");
            }
        }
        let mut to = s.request.to().to_owned();
        if status > 100 && s.request.to_tag().is_empty() {
            to += &format!(";tag={tag}");
        }
        out += &format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n",
            s.request.from(),
            s.request.call_id(),
            s.request.cseq(),
            s.request.method()
        );
        for (name, value) in s.request.headers() {
            if name.eq_ignore_ascii_case("Record-Route") {
                out += &format!("Record-Route: {value}\r\n");
            }
        }
        if status > 100 && status < 300 && s.request.method() != "BYE" {
            out += &format!("Contact: {contact}\r\n");
        }
        for (name, value) in headers {
            out += &format!("{name}: {value}\r\n");
        }
        if !self.id.secret.is_empty() {
            out += &format!("Server: {}\r\n", self.id.secret);
        }
        let body = body.unwrap_or_default();
        if !body.is_empty() {
            out += "Content-Type: application/sdp\r\n";
        }
        out += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let bytes = Bytes::from(out);
        let invite = s.request.method() == "INVITE";
        s.last = Some(bytes.clone());
        s.status = status;
        if status >= 200 {
            s.ends_at = now + TIMEOUT;
            if invite && !s.acked && (!self.id.tcp || status < 300) {
                s.again_at = Some(now + T1);
            }
        }
        let to = s.from;
        self.transmit(cx, to, bytes);
    }

    fn tag_for(&mut self, cx: &Cx<'_>, at: usize) -> String {
        let call = self.servers.get(at).and_then(|s| s.call);
        match call.and_then(|call| self.calls.get(call)) {
            Some(call) => call.local_tag.clone(),
            None => self.token(cx),
        }
    }

    pub(super) fn server_timers(&mut self, cx: &mut Cx<'_>, now: Instant) {
        let mut at = 0;
        while let Some(s) = self.servers.get_mut(at) {
            if s.status >= 200 && s.ends_at <= now {
                let s = self.servers.remove(at);
                if s.request.method() == "INVITE" && !s.acked && s.status < 300 {
                    // RFC 3261 §13.3.1.4: no ACK came; the call is ended with BYE.
                    self.hang_up(cx, s.call);
                } else if s.request.method() == "INVITE" && s.status >= 300 {
                    self.call_over_if_incoming(s.call);
                }
                continue;
            }
            if s.again_at.is_some_and(|t| t <= now) {
                s.interval = (s.interval * 2).min(T2);
                s.again_at = Some(now + s.interval);
                let (to, last) = (s.from, s.last.clone());
                if let Some(last) = last {
                    self.transmit(cx, to, last);
                }
            }
            at += 1;
        }
    }

    fn ack_came(&mut self, cx: &mut Cx<'_>, seen: &Seen) {
        let (call_id, cseq) = (seen.call_id(), seen.cseq());
        let found = self.servers.iter_mut().find(|s| {
            s.request.method() == "INVITE"
                && s.request.call_id() == call_id
                && s.request.cseq() == cseq
                && s.status >= 200
        });
        let Some(s) = found else { return };
        s.again_at = None;
        if std::mem::replace(&mut s.acked, true) {
            return;
        }
        let (call, status) = (s.call, s.status);
        if status < 300 {
            self.acknowledged(cx, call, seen);
        } else {
            self.call_over_if_incoming(call);
        }
    }

    /// The INVITE that still waits for our final.
    pub(super) fn open_invite(&self) -> Option<usize> {
        self.servers.iter().rposition(|s| s.request.method() == "INVITE" && s.status < 200)
    }

    /// The newest request of this method that waits for our final.
    pub(super) fn open_request(&self, method: &str) -> Option<usize> {
        self.servers.iter().rposition(|s| s.request.method() == method && s.status < 200)
    }
}

/// The phrases that a person expects, RFC 3261 §21.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        302 => "Moved Temporarily",
        404 => "Not Found",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Answer",
    }
}
