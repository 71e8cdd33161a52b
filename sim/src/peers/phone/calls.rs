//! The phone's calls: one dialog each — RFC 3261 §12, §13, §14, §15 — and its session description.
//!
//!   Calling ─1xx─▶ Ringing ─2xx─▶ Up ─BYE─▶ Over        Incoming ─2xx─▶ Up ─BYE─▶ Over
//!        └────── 3xx-6xx, 408 ───────────▶ Over              └─3xx-6xx─▶ Over
use super::Phone;
use super::client::Draft;
use crate::kernel::Cx;
use crate::peers::sdp::{self, Heard, Wish};
use crate::seen::{self, Seen};
use bitspath_core::Instant;
use bytes::Bytes;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Calling,
    Ringing,
    Incoming,
    Up,
    Over,
}

#[derive(Debug)]
pub struct Call {
    pub stage: Stage,
    pub caller: bool,
    pub call_id: String,
    /// Number of the other side, as this phone knows it.
    pub party: String,
    pub(super) local: String,
    remote: String,
    pub(super) local_tag: String,
    remote_tag: String,
    target: String,
    hop: SocketAddr,
    pub(super) invite_branch: String,
    pub(super) server_branch: String,
    pub(super) local_cseq: u32,
    remote_cseq: u32,
    pub(super) cancel_wanted: bool,
    /// The ladder releases the ACK.
    pub(super) ack_due: bool,
    pub(super) ack: Option<Bytes>,
    /// The final status of the INVITE.
    pub status: u16,
    pub(super) rtp: SocketAddr,
    pub(super) wish: Wish,
    sdp_version: u64,
    /// The other side's description in force.
    pub heard: Option<Heard>,
    /// Our offer waits for an answer; theirs for ours in the ACK.
    offered: bool,
    pub(super) pick_up_at: Option<Instant>,
}

impl Phone {
    fn new_call(&mut self, cx: &Cx<'_>, caller: bool) -> Call {
        let local_tag = self.token(cx);
        let port = 40_000 + 2 * (self.calls.len() as u16);
        Call {
            stage: if caller { Stage::Calling } else { Stage::Incoming },
            caller,
            call_id: String::new(),
            party: String::new(),
            local: String::new(),
            remote: String::new(),
            local_tag,
            remote_tag: String::new(),
            target: String::new(),
            hop: self.id.server,
            invite_branch: String::new(),
            server_branch: String::new(),
            local_cseq: 0,
            remote_cseq: 0,
            cancel_wanted: false,
            ack_due: false,
            ack: None,
            status: 0,
            rtp: SocketAddr::new(self.id.local.ip(), port),
            wish: Wish::default(),
            sdp_version: 0,
            heard: None,
            offered: false,
            pick_up_at: None,
        }
    }

    pub(super) fn describe(&mut self, at: usize) -> Option<String> {
        let call = self.calls.get_mut(at)?;
        call.sdp_version += 1;
        Some(sdp::emit(call.rtp, 1000 + at as u64, call.sdp_version, &call.wish))
    }

    pub(super) fn dial(
        &mut self,
        cx: &mut Cx<'_>,
        target: &str,
        offer: Option<Wish>,
        headers: Vec<(String, String)>,
    ) {
        let mut call = self.new_call(cx, true);
        let uri = match target.contains(':') {
            true => target.to_owned(),
            false => format!("sip:{target}@{}", self.id.domain),
        };
        call.call_id = format!("{}-{}", self.token(cx), self.id.name);
        seen::user_of(&uri).unwrap_or(target).clone_into(&mut call.party);
        call.local = format!("<{}>", self.aor());
        call.remote = format!("<{uri}>");
        call.target.clone_from(&uri);
        call.offered = offer.is_some();
        let wants_body = offer.is_some();
        call.wish = offer.unwrap_or_default();
        let at = self.calls.len();
        self.calls.push(call);
        let body = if wants_body { self.describe(at) } else { None };
        self.send_in_call(cx, at, "INVITE", headers, body);
    }

    /// The request of this method on this call's dialog, or before it.
    pub(super) fn send_in_call(
        &mut self,
        cx: &mut Cx<'_>,
        at: usize,
        method: &str,
        headers: Vec<(String, String)>,
        body: Option<String>,
    ) {
        let Some(call) = self.calls.get_mut(at) else { return };
        call.local_cseq += 1;
        let draft = call.draft(method, call.local_cseq, headers, body);
        let hop = call.hop;
        self.request(cx, hop, draft, Some(at));
    }

    pub(super) fn invite_progress(&mut self, cx: &mut Cx<'_>, call: Option<usize>, seen: &Seen) {
        let Some(at) = call else { return };
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.stage == Stage::Calling && seen.status() > 100 {
            call.stage = Stage::Ringing;
        }
        if !seen.body().is_empty() && call.offered {
            call.heard = sdp::read(seen.body());
        }
        if call.cancel_wanted {
            call.cancel_wanted = false;
            self.send_cancel(cx, at);
        }
    }

    pub(super) fn invite_accepted(&mut self, cx: &mut Cx<'_>, call: Option<usize>, seen: &Seen) {
        let Some(at) = call else { return };
        let habit = self.habits.ack;
        let Some(call) = self.calls.get_mut(at) else { return };
        let was_over = call.stage == Stage::Over;
        seen.to_tag().clone_into(&mut call.remote_tag);
        seen::uri_of(seen.contact()).clone_into(&mut call.target);
        call.hop = hop_of(&call.target).unwrap_or(call.hop);
        call.stage = Stage::Up;
        call.status = seen.status();
        let answers = !call.offered && !seen.body().is_empty();
        if !seen.body().is_empty() {
            call.heard = sdp::read(seen.body());
        }
        call.offered = false;
        if answers {
            call.suit();
        }
        let cseq = seen.cseq();
        let body = if answers { self.describe(at) } else { None };
        let ack = self.build_ack(cx, at, cseq, body);
        let Some(call) = self.calls.get_mut(at) else { return };
        call.ack = Some(ack.clone());
        call.ack_due = !habit;
        let hop = call.hop;
        let unwanted = call.cancel_wanted || was_over;
        if habit {
            self.transmit(cx, hop, ack);
        }
        if unwanted {
            // The 200 crossed our CANCEL, RFC 3261 §9.1: the call is ended with BYE.
            self.hang_up(cx, Some(at));
        }
    }

    fn build_ack(&mut self, cx: &Cx<'_>, at: usize, cseq: u32, body: Option<String>) -> Bytes {
        let branch = format!("z9hG4bK{}", self.token(cx));
        let Some(call) = self.calls.get(at) else { return Bytes::new() };
        let draft = call.draft("ACK", cseq, Vec::new(), body);
        self.build(&branch, &draft)
    }

    /// A 2xx came again: its ACK was lost.
    pub(super) fn ack_again(&mut self, cx: &mut Cx<'_>, seen: &Seen) {
        let found = self.calls.iter().find(|c| c.call_id == seen.call_id() && !c.ack_due);
        let Some((ack, hop)) = found.and_then(|c| Some((c.ack.clone()?, c.hop))) else { return };
        self.transmit(cx, hop, ack);
    }

    pub(super) fn release_ack(&mut self, cx: &mut Cx<'_>, at: usize) {
        let Some(call) = self.calls.get_mut(at) else { return };
        call.ack_due = false;
        let (ack, hop, branch) = (call.ack.clone(), call.hop, call.invite_branch.clone());
        let refused = call.status >= 300;
        if let Some(ack) = ack {
            if refused {
                self.acked(&branch, ack.clone());
            }
            self.transmit(cx, hop, ack);
        }
    }

    pub(super) fn invite_refused(&mut self, call: Option<usize>, status: u16) {
        let Some(call) = call.and_then(|at| self.calls.get_mut(at)) else { return };
        call.offered = false;
        if call.stage != Stage::Up {
            call.stage = Stage::Over;
            call.status = status;
        }
        // RFC 3261 §12.2.1.2: these end the dialog even inside it.
        if matches!(status, 408 | 481) {
            call.stage = Stage::Over;
        }
    }

    pub(super) fn call_over(&mut self, call: Option<usize>) {
        if let Some(call) = call.and_then(|at| self.calls.get_mut(at)) {
            call.stage = Stage::Over;
        }
    }

    pub(super) fn call_over_if_incoming(&mut self, call: Option<usize>) {
        if let Some(call) = call.and_then(|at| self.calls.get_mut(at))
            && call.stage == Stage::Incoming
        {
            call.stage = Stage::Over;
        }
    }

    pub(super) fn hang_up(&mut self, cx: &mut Cx<'_>, call: Option<usize>) {
        let Some(at) = call else { return };
        if self.calls.get(at).is_some_and(|c| c.stage == Stage::Up) {
            self.send_in_call(cx, at, "BYE", Vec::new(), None);
        }
    }

    /// Hangs up, cancels or refuses whatever is left of every call.
    pub fn end_calls(&mut self, cx: &mut Cx<'_>) {
        for at in 0..self.calls.len() {
            match self.calls.get(at).map(|c| c.stage) {
                Some(Stage::Up) if !self.is_hanging_up(at) => self.hang_up(cx, Some(at)),
                Some(Stage::Calling | Stage::Ringing) => self.cancel_call(cx, at),
                Some(Stage::Incoming) => {
                    if let Some(server) = self.open_invite() {
                        self.respond(cx, server, 480, &[], None);
                    }
                }
                _ => {}
            }
        }
        self.settle();
    }

    fn is_hanging_up(&self, at: usize) -> bool {
        self.clients.iter().any(|c| c.call == Some(at) && c.method() == "BYE" && c.is_waiting())
    }

    pub(super) fn cancel_call(&mut self, cx: &mut Cx<'_>, at: usize) {
        if self.has_provisional(at) {
            self.send_cancel(cx, at);
        } else if let Some(call) = self.calls.get_mut(at) {
            call.cancel_wanted = true;
        }
    }

    /// A request that is new to the transaction layer.
    pub(super) fn serve(&mut self, cx: &mut Cx<'_>, server: usize, seen: &Seen) {
        let call = self.calls.iter().position(|c| {
            c.call_id == seen.call_id() && c.local_tag == seen.to_tag() && c.stage != Stage::Over
        });
        if let Some(s) = self.servers.get_mut(server) {
            s.call = call;
        }
        match (seen.method(), call) {
            ("INVITE", Some(at)) => self.reinvited(cx, server, at, seen),
            ("INVITE", None) if seen.to_tag().is_empty() => self.invited(cx, server, seen),
            ("CANCEL", _) => self.cancelled(cx, server, seen),
            ("BYE", Some(at)) => {
                if let Some(call) = self.calls.get_mut(at) {
                    call.stage = Stage::Over;
                }
                if self.habits.answer_bye {
                    self.respond(cx, server, 200, &[], None);
                }
            }
            ("BYE" | "INVITE", None) => self.respond(cx, server, 481, &[], None),
            _ => self.respond(cx, server, 200, &[], None),
        }
    }

    fn invited(&mut self, cx: &mut Cx<'_>, server: usize, seen: &Seen) {
        let mut call = self.new_call(cx, false);
        seen.call_id().clone_into(&mut call.call_id);
        let remote = seen.from();
        seen::user_of(seen::uri_of(remote)).unwrap_or_default().clone_into(&mut call.party);
        remote.split(";tag=").next().unwrap_or_default().clone_into(&mut call.remote);
        seen.from_tag().clone_into(&mut call.remote_tag);
        call.local = seen.to().to_owned();
        seen::uri_of(seen.contact()).clone_into(&mut call.target);
        call.hop = hop_of(&call.target).unwrap_or(call.hop);
        call.remote_cseq = seen.cseq();
        seen.branch().clone_into(&mut call.server_branch);
        call.heard = sdp::read(seen.body());
        call.offered = seen.body().is_empty();
        let at = self.calls.len();
        if let Some(wait) = self.habits.pick_up {
            call.pick_up_at = Some(cx.now().mono + wait);
        }
        self.calls.push(call);
        if let Some(s) = self.servers.get_mut(server) {
            s.call = Some(at);
        }
        if let Some(status) = self.habits.refuse {
            self.respond(cx, server, status, &[], None);
        } else if self.habits.pick_up.is_some() {
            self.respond(cx, server, 180, &[], None);
        }
    }

    pub(super) fn call_timers(&mut self, cx: &mut Cx<'_>, now: Instant) {
        for at in 0..self.calls.len() {
            let Some(call) = self.calls.get_mut(at) else { continue };
            if call.pick_up_at.is_some_and(|t| t <= now) {
                call.pick_up_at = None;
                if call.stage == Stage::Incoming
                    && let Some(server) = self.open_invite()
                {
                    self.accept(cx, server, 200, None, &[]);
                }
            }
        }
    }

    /// Answers an INVITE with a 2xx or a 1xx that carries a description.
    pub(super) fn accept(
        &mut self,
        cx: &mut Cx<'_>,
        server: usize,
        status: u16,
        wish: Option<Wish>,
        headers: &[(String, String)],
    ) {
        let Some(at) = self.servers.get(server).and_then(|s| s.call) else { return };
        let Some(call) = self.calls.get_mut(at) else { return };
        match wish {
            Some(wish) => call.wish = wish,
            None => call.suit(),
        }
        if status >= 200 {
            call.stage = Stage::Up;
            call.status = status;
        }
        let body = self.describe(at);
        self.respond(cx, server, status, headers, body);
    }

    fn reinvited(&mut self, cx: &mut Cx<'_>, server: usize, at: usize, seen: &Seen) {
        let inviting = self
            .clients
            .iter()
            .any(|c| c.call == Some(at) && c.method() == "INVITE" && c.is_waiting());
        let Some(call) = self.calls.get_mut(at) else { return };
        call.remote_cseq = seen.cseq();
        if !self.habits.answer_reinvite {
            call.heard = sdp::read(seen.body()).or(call.heard.take());
            return;
        }
        //= RFC 3261 §14.2
        if inviting {
            return self.respond(cx, server, 491, &[], None);
        }
        let heard = sdp::read(seen.body());
        call.offered = heard.is_none();
        if heard.is_some() {
            call.heard = heard;
        }
        self.accept(cx, server, 200, None, &[]);
    }

    fn cancelled(&mut self, cx: &mut Cx<'_>, server: usize, seen: &Seen) {
        let invite = self
            .servers
            .iter()
            .position(|s| s.branch == seen.branch() && s.request.method() == "INVITE");
        let Some(invite) = invite else { return self.respond(cx, server, 481, &[], None) };
        let waiting = self.servers.get(invite).is_some_and(|s| s.status < 200);
        if !self.habits.answer_cancel {
            return;
        }
        self.respond(cx, server, 200, &[], None);
        if waiting {
            if let Some(call) = self.servers.get(invite).and_then(|s| s.call)
                && let Some(call) = self.calls.get_mut(call)
            {
                call.pick_up_at = None;
            }
            self.respond(cx, invite, 487, &[], None);
        }
    }

    /// The ACK to our 2xx: a late answer may be in it.
    pub(super) fn acknowledged(&mut self, cx: &mut Cx<'_>, call: Option<usize>, seen: &Seen) {
        let Some(at) = call else { return };
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.offered {
            call.offered = false;
            call.heard = sdp::read(seen.body()).or(call.heard.take());
        }
        let _ = cx;
    }
}

impl Call {
    /// Where this phone sends from and listens on this call.
    pub fn rtp(&self) -> SocketAddr {
        self.rtp
    }

    fn draft(
        &self,
        method: &str,
        cseq: u32,
        headers: Vec<(String, String)>,
        body: Option<String>,
    ) -> Draft {
        let to_tag = match self.remote_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        Draft {
            method: method.to_owned(),
            uri: self.target.clone(),
            from: format!("{};tag={}", self.local, self.local_tag),
            to: format!("{}{to_tag}", self.remote),
            call_id: self.call_id.clone(),
            cseq,
            headers,
            body,
            body_type: "application/sdp".to_owned(),
        }
    }

    /// Answers as an honest phone does: the common codecs, the direction mirrored, RFC 3264 §6.1.
    fn suit(&mut self) {
        let Some(heard) = &self.heard else { return };
        self.wish.direction = heard.direction.mirrored();
        let common: Vec<_> = sdp::CODECS
            .into_iter()
            .filter(|c| heard.payloads.contains(&c.payload) && c.payload < 96)
            .take(2)
            .collect();
        if !common.is_empty() {
            self.wish.codecs = common;
        }
        self.wish.profile.clone_from(&heard.profile);
    }

    /// Marks a new offer of ours on this call.
    pub(super) fn offer(&mut self, wish: Wish) {
        self.wish = wish;
        self.offered = true;
    }
}

/// The address in a URI whose host is one; names are left to the outbound proxy.
fn hop_of(uri: &str) -> Option<SocketAddr> {
    let rest = uri.split_once(':')?.1;
    let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
    let host = rest.split([';', '?', '>']).next()?;
    host.parse().ok().or_else(|| Some(SocketAddr::new(host.parse().ok()?, 5060)))
}
