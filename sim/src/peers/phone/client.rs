//! The phone's client transactions — RFC 3261 §17.1, Figures 5 and 6, in one small machine:
//! sent, proceeding, done; a done INVITE answers a repeated final with its ACK again.
use super::{Phone, T1, T2, TIMEOUT};
use crate::kernel::Cx;
use crate::peers::digest::Challenge;
use crate::seen::Seen;
use bitspath_core::{Duration, Instant};
use bytes::Bytes;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sent,
    Proceeding,
    Done,
}

/// A request as it can be made again with credentials.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub method: String,
    pub uri: String,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub body_type: String,
}

#[derive(Debug)]
pub(super) struct Client {
    branch: String,
    draft: Draft,
    bytes: Bytes,
    to: SocketAddr,
    state: State,
    interval: Duration,
    again_at: Option<Instant>,
    ends_at: Instant,
    /// Place of its call in `Phone::calls`.
    pub call: Option<usize>,
    /// Credentials were sent with it; how often they were refused as stale.
    tries: u8,
    /// To repeat when the final comes again.
    ack: Option<Bytes>,
}

impl Client {
    fn new(branch: String, draft: Draft, to: SocketAddr, ends_at: Instant) -> Client {
        Client {
            branch,
            draft,
            bytes: Bytes::new(),
            to,
            state: State::Sent,
            interval: T1,
            again_at: None,
            ends_at,
            call: None,
            tries: 0,
            ack: None,
        }
    }
    pub fn due(&self) -> Option<Instant> {
        Some(self.again_at.map_or(self.ends_at, |at| at.min(self.ends_at)))
    }
    pub fn is_waiting(&self) -> bool {
        self.state != State::Done
    }
    pub fn method(&self) -> &str {
        &self.draft.method
    }
    pub fn fail(&mut self) {
        self.again_at = None;
        self.ends_at = Instant(0);
    }
}

impl Phone {
    /// Builds the octets of a request. `branch` is None for the branch of an ACK to a 2xx.
    pub(super) fn build(&self, branch: &str, d: &Draft) -> Bytes {
        let via = if self.id.tcp { "TCP" } else { "UDP" };
        // A header that the ladder gives stands instead of the phone's own.
        let given = |name: &str| d.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let own = |name: &str, value: &str| match given(name) {
            true => String::new(),
            false => format!("{name}: {value}\r\n"),
        };
        let mut out = format!(
            "{} {} SIP/2.0\r\nVia: SIP/2.0/{via} {};rport;branch={branch}\r\n{}\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n{}",
            d.method,
            d.uri,
            self.id.local,
            own("Max-Forwards", "70"),
            d.from,
            d.to,
            d.call_id,
            d.cseq,
            d.method,
            own("Contact", &self.contact())
        );
        for (name, value) in &d.headers {
            out += &format!("{name}: {value}\r\n");
        }
        if !self.id.secret.is_empty() {
            out += &format!("User-Agent: {}\r\n", self.id.secret);
        }
        let body = d.body.as_deref().unwrap_or_default();
        if !body.is_empty() {
            out += &format!("Content-Type: {}\r\n", d.body_type);
        }
        out += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        Bytes::from(out)
    }

    pub(super) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        to: SocketAddr,
        draft: Draft,
        call: Option<usize>,
    ) {
        self.send_request(cx, to, draft, call, 0);
    }

    fn send_request(
        &mut self,
        cx: &mut Cx<'_>,
        to: SocketAddr,
        draft: Draft,
        call: Option<usize>,
        tries: u8,
    ) {
        let branch = format!("z9hG4bK{}", self.token(cx));
        if let (Some(at), "INVITE") = (call, draft.method.as_str())
            && let Some(call) = self.calls.get_mut(at)
        {
            call.invite_branch.clone_from(&branch);
            call.local_cseq = draft.cseq;
        }
        let ends_at = cx.now().mono + TIMEOUT;
        self.begin(cx, Client { call, tries, ..Client::new(branch, draft, to, ends_at) });
    }

    /// Sends a request, which is repeated where the transport may lose it.
    fn begin(&mut self, cx: &mut Cx<'_>, mut client: Client) {
        client.bytes = self.build(&client.branch, &client.draft);
        client.again_at = (!self.id.tcp).then_some(cx.now().mono + T1);
        self.transmit(cx, client.to, client.bytes.clone());
        self.clients.push(client);
    }

    pub(super) fn client_timers(&mut self, cx: &mut Cx<'_>, now: Instant) {
        for at in (0..self.clients.len()).rev() {
            let Some(c) = self.clients.get_mut(at) else { continue };
            if c.ends_at <= now {
                let c = self.clients.swap_remove(at);
                if c.is_waiting() {
                    self.request_failed(cx, &c, 408);
                }
            } else if c.again_at.is_some_and(|t| t <= now) {
                let invite = c.draft.method == "INVITE";
                c.interval = if invite { c.interval * 2 } else { (c.interval * 2).min(T2) };
                let interval = if c.state == State::Proceeding { T2 } else { c.interval };
                c.again_at = Some(now + interval);
                let (to, bytes) = (c.to, c.bytes.clone());
                self.transmit(cx, to, bytes);
            }
        }
    }

    /// CANCEL shares the branch of its INVITE, RFC 3261 §9.1.
    pub(super) fn send_cancel(&mut self, cx: &mut Cx<'_>, call: usize) {
        let Some(branch) = self.calls.get(call).map(|c| c.invite_branch.clone()) else { return };
        let now = cx.now().mono;
        let Some(invite) = self.clients.iter_mut().find(|c| c.branch == branch) else { return };
        // RFC 3261 §9.1: without a final within 64*T1 the call counts as cancelled.
        invite.ends_at = now + TIMEOUT;
        let (to, mut draft) = (invite.to, invite.draft.clone());
        draft.method = "CANCEL".to_owned();
        draft.body = None;
        draft.headers.clear();
        let cancel = Client::new(branch, draft, to, now + TIMEOUT);
        self.begin(cx, Client { call: Some(call), ..cancel });
    }

    pub(super) fn response_came(&mut self, cx: &mut Cx<'_>, seen: Seen) {
        let now = cx.now().mono;
        let (branch, method) = (seen.branch(), seen.method());
        let found =
            self.clients.iter().position(|c| c.branch == branch && c.draft.method == method);
        let Some(at) = found else { return self.late_response(cx, &seen) };
        let Some(c) = self.clients.get_mut(at) else { return };
        let invite = c.draft.method == "INVITE";
        let call = c.call;
        if c.state == State::Done {
            if let Some(ack) = c.ack.clone() {
                let to = c.to;
                self.transmit(cx, to, ack);
            } else if invite && seen.status() < 300 {
                self.ack_again(cx, &seen);
            }
            return;
        }
        if seen.status() < 200 {
            c.state = State::Proceeding;
            if invite {
                c.again_at = None;
                // The callee may ring for minutes.
                c.ends_at = now + Duration::from_secs(400);
                self.invite_progress(cx, call, &seen);
            }
            return;
        }
        c.state = State::Done;
        c.again_at = None;
        c.ends_at = now + TIMEOUT;
        if invite && seen.status() >= 300 {
            self.ack_refusal(cx, at, &seen);
        }
        let challenged = matches!(seen.status(), 401 | 407) && self.habits.answer_challenge;
        if challenged && self.answer_challenge(cx, at, &seen) {
            return;
        }
        self.final_came(cx, at, seen);
    }

    /// The ACK to 300-699 belongs to the transaction, RFC 3261 §17.1.1.3.
    fn ack_refusal(&mut self, cx: &mut Cx<'_>, at: usize, seen: &Seen) {
        let Some(c) = self.clients.get(at) else { return };
        let mut draft = c.draft.clone();
        draft.method = "ACK".to_owned();
        seen.to().clone_into(&mut draft.to);
        draft.body = None;
        draft.headers.clear();
        let (branch, to) = (c.branch.clone(), c.to);
        let ack = self.build(&branch, &draft);
        if let Some(c) = self.clients.get_mut(at) {
            c.ack = Some(ack.clone());
        }
        if self.habits.ack || matches!(seen.status(), 401 | 407) {
            self.transmit(cx, to, ack);
        } else if let Some(c) = self.clients.get_mut(at) {
            // The ladder says when; until then a repeated final is not answered.
            let ack = c.ack.take();
            if let Some(call) = c.call.and_then(|call| self.calls.get_mut(call)) {
                call.ack = ack;
                call.ack_due = true;
            }
        }
    }

    /// The ladder released the ACK: from now on a repeated final gets it again.
    pub(super) fn acked(&mut self, branch: &str, ack: Bytes) {
        if let Some(c) = self.clients.iter_mut().find(|c| c.branch == branch) {
            c.ack = Some(ack);
        }
    }

    /// Sends the request again with credentials; false when that would be pointless.
    fn answer_challenge(&mut self, cx: &mut Cx<'_>, at: usize, seen: &Seen) -> bool {
        let header = if seen.status() == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        let challenge = seen
            .headers()
            .filter(|(n, _)| n.eq_ignore_ascii_case(header))
            .find_map(|(_, v)| Challenge::parse(v));
        let Some(challenge) = challenge else { return false };
        let Some(c) = self.clients.get(at) else { return false };
        // RFC 3261 §22.2: the same credentials are not tried twice, unless only the nonce was old.
        if c.tries >= 3 || (c.tries > 0 && !challenge.stale) {
            return false;
        }
        let (mut draft, to, call, tries) = (c.draft.clone(), c.to, c.call, c.tries + 1);
        draft.cseq += 1;
        self.challenge = Some((challenge, 0));
        self.authorize(cx, seen.status(), &mut draft);
        if draft.method == "REGISTER" {
            self.register_cseq = draft.cseq;
        }
        self.send_request(cx, to, draft, call, tries);
        true
    }

    /// Puts credentials for the last challenge on a request.
    fn authorize(&mut self, cx: &mut Cx<'_>, status: u16, draft: &mut Draft) {
        let cnonce = self.token(cx);
        let Some((challenge, nc)) = &mut self.challenge else { return };
        *nc += 1;
        let user = self.id.user.as_deref().unwrap_or(&self.id.number);
        let value =
            challenge.answer((user, &self.id.password), (&draft.method, &draft.uri), *nc, &cnonce);
        let name = if status == 401 { "Authorization" } else { "Proxy-Authorization" };
        draft.headers.retain(|(n, _)| n != name);
        draft.headers.push((name.to_owned(), value));
    }

    fn final_came(&mut self, cx: &mut Cx<'_>, at: usize, seen: Seen) {
        let Some(c) = self.clients.get(at) else { return };
        let (method, call, status) = (c.draft.method.clone(), c.call, seen.status());
        match method.as_str() {
            "REGISTER" => self.registered(cx, &seen),
            "INVITE" if status < 300 => self.invite_accepted(cx, call, &seen),
            "INVITE" => self.invite_refused(call, status),
            "BYE" => self.call_over(call),
            _ => {}
        }
        self.finals.push((method, status));
    }

    /// Nobody answered, or the connection broke.
    fn request_failed(&mut self, cx: &mut Cx<'_>, c: &Client, status: u16) {
        match c.draft.method.as_str() {
            "INVITE" => self.invite_refused(c.call, status),
            "BYE" => self.call_over(c.call),
            "REGISTER" if self.refresh_at.is_none() && self.registered_until.is_some() => {
                self.refresh_at = Some(cx.now().mono + Duration::from_secs(30));
            }
            _ => {}
        }
        self.finals.push((c.draft.method.clone(), status));
    }

    /// A response to a transaction that is gone: only a repeated 2xx needs something.
    fn late_response(&mut self, cx: &mut Cx<'_>, seen: &Seen) {
        if seen.method() == "INVITE" && (200..300).contains(&seen.status()) {
            self.ack_again(cx, seen);
        }
    }

    pub fn register(&mut self, cx: &mut Cx<'_>, expires: u32) {
        self.register_with(cx, expires, &[]);
    }

    pub(super) fn register_with(
        &mut self,
        cx: &mut Cx<'_>,
        expires: u32,
        more: &[(String, String)],
    ) {
        self.register_cseq += 1;
        let tag = self.token(cx);
        let aor = self.aor();
        let mut headers = vec![("Expires".to_owned(), expires.to_string())];
        headers.extend_from_slice(more);
        let draft = Draft {
            method: "REGISTER".to_owned(),
            uri: format!("sip:{}", self.id.domain),
            from: format!("<{aor}>;tag={tag}"),
            to: format!("<{aor}>"),
            call_id: format!("reg-{}-{}", self.id.name, self.id.number),
            cseq: self.register_cseq,
            headers,
            body: None,
            body_type: String::new(),
        };
        self.refresh_at = None;
        self.request(cx, self.id.server, draft, None);
    }

    fn registered(&mut self, cx: &mut Cx<'_>, seen: &Seen) {
        if seen.status() >= 300 {
            return;
        }
        let mine = format!("sip:{}@{}", self.id.number, self.id.local);
        let now = cx.now().mono;
        self.contacts = 0;
        self.registered_until = None;
        for (name, value) in seen.headers() {
            if name != "Contact" {
                continue;
            }
            self.contacts += value.matches("sip:").count();
            if let Some(rest) = value.split(&mine).nth(1) {
                let seconds = crate::seen::param(rest, "expires").and_then(|e| e.parse().ok());
                let life = Duration::from_secs(seconds.unwrap_or(self.id.expires.into()));
                self.registered_until = Some(now + life);
                self.refresh_at = Some(now + life / 2);
            }
        }
        if self.registered_until.is_none() {
            self.refresh_at = None;
        }
    }

    pub(super) fn has_provisional(&self, call: usize) -> bool {
        let Some(branch) = self.calls.get(call).map(|c| &c.invite_branch) else { return false };
        self.clients
            .iter()
            .any(|t| t.branch == *branch && t.state == State::Proceeding && t.method() == "INVITE")
    }
}
