//! One call as a value: its state and the step that every input takes.
//! Owns: the legs, the anchor of its media, the record.
//! Does not know: tables, sockets, other calls.
//!
//! ```text
//!   New ─Start▶ Setup ─answer▶ Up ─end▶ Ending ─at rest▶ Gone       (the figure is in b2bua)
//!                 └────────end──────────▲
//! ```
use crate::anchor::Anchor;
use crate::b2bua::Exchange;
use crate::cdr::{Record, draft};
use crate::effect::{Effect, LegId, ReqId, TimerKey};
use crate::facts::Service;
use crate::facts::{Facts, Setup};
use crate::leg::{ALLOW, Leg, LegState};
use alloc::string::ToString;
use alloc::vec::Vec;
use bitspath_core::store::{CdrCause, CdrRow};
use bitspath_core::{Now, Outbox};
use bitspath_media::Evt;
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::wire::{HeaderName, Message, OutResponse};
use bitspath_sip::{Method, Status};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    New,
    Setup,
    Up,
    Ending,
    Gone,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            State::New => "new",
            State::Setup => "setup",
            State::Up => "up",
            State::Ending => "ending",
            State::Gone => "gone",
        }
    }
}

/// Why a request of ours got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    Transport,
    /// It was never sent: the transaction table is full.
    Full,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub enum In<'a> {
    /// The caller's INVITE; the first input.
    Start {
        txn: TxnId,
        msg: &'a Message,
    },
    /// A request in the dialog of a leg; neither ACK nor CANCEL.
    Request {
        leg: LegId,
        txn: TxnId,
        flow: Flow,
        msg: &'a Message,
    },
    /// ACK to a 2xx.
    Ack {
        leg: LegId,
        msg: &'a Message,
    },
    /// The INVITE `txn` is cancelled; the CANCEL itself is answered.
    Cancelled {
        leg: LegId,
        txn: TxnId,
    },
    /// Not a 2xx that was acknowledged before.
    Response {
        leg: LegId,
        req: ReqId,
        msg: &'a Message,
    },
    Failed {
        leg: LegId,
        req: ReqId,
        why: Failure,
    },
    Timer(TimerKey),
    Media(&'a Evt),
    HangUp(CdrCause),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    pub(crate) setup: Setup,
    pub(crate) state: State,
    /// The caller, then the callees.
    pub(crate) legs: Vec<Leg>,
    pub(crate) anchor: Anchor,
    pub(crate) record: Record,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) winner: Option<LegId>,
    pub(crate) service: Option<Service>,
    /// The last provisional status that the caller heard.
    pub(crate) rang: Option<u16>,
    /// The best refusal so far.
    pub(crate) best: Option<Status>,
}

impl Call {
    /// `call_id` is that of the caller's INVITE, which comes next as [`In::Start`].
    pub fn new(setup: Setup, call_id: &str, now: Now) -> Call {
        let row = draft(&setup, call_id, now.wall);
        Call {
            setup,
            state: State::New,
            legs: Vec::new(),
            anchor: Anchor::default(),
            record: Record::new(row),
            exchange: None,
            winner: None,
            service: None,
            rang: None,
            best: None,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }
    /// The record as it stands.
    pub fn row(&self) -> &CdrRow {
        &self.record.row
    }
    /// Still somebody's call, not only waiting for last answers.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::New | State::Setup | State::Up)
    }
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.get(id.0 as usize)
    }

    /// One input; everything outside the call comes out as effects.
    pub fn step(&mut self, facts: &Facts<'_>, input: In<'_>, out: &mut Outbox<Effect>) {
        match input {
            In::Start { txn, msg } if self.state == State::New => self.start(facts, txn, msg, out),
            In::Start { .. } => {}
            In::Request { leg, txn, flow, msg } => {
                self.on_request(facts, leg, txn, flow, msg, out);
            }
            In::Ack { leg, msg } => self.on_ack(facts, leg, msg, out),
            In::Cancelled { leg, txn } => self.on_cancel(facts, leg, txn, out),
            In::Response { leg, req, msg } => self.on_response(facts, leg, req, msg, out),
            In::Failed { leg, req, why } => self.on_failed(facts, leg, req, why, out),
            In::Timer(key) => self.on_timer(facts, key, out),
            In::Media(evt) => self.on_media(facts, evt, out),
            In::HangUp(cause) => self.hang_up(facts, cause, out),
        }
        self.rest(out);
    }

    fn on_request(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        txn: TxnId,
        flow: Flow,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let refuse = |status| Effect::Respond { txn, response: OutResponse::new(status) };
        let Some(leg) = self.legs.get_mut(id.0 as usize) else {
            return out.push(refuse(Status::NO_SUCH_CALL));
        };
        let dialog = leg.dialog.as_mut().filter(|d| Some(d.remote_tag.as_str()) == msg.from_tag());
        let Some(dialog) = dialog.filter(|_| leg.state != LegState::Down) else {
            return out.push(refuse(Status::NO_SUCH_CALL));
        };
        //= RFC 3261 §12.2.2
        // A CSeq that does not rise is out of order: 500.
        if let Err(refusal) = dialog.accept(msg) {
            return out.push(refuse(refusal.status()));
        }
        if leg.flow != flow {
            // The peer has moved: another connection, or another port before its NAT.
            leg.flow = flow;
            if leg.is_up() {
                leg.will(id, out);
            }
        }
        match msg.method() {
            Method::Bye => self.on_bye(facts, id, txn, out),
            _ if matches!(leg.state, LegState::Leaving { .. }) => {
                out.push(refuse(Status::NO_SUCH_CALL));
            }
            Method::Invite => self.on_reinvite(facts, id, txn, msg, out),
            method => out.push(Effect::Respond { txn, response: in_dialog(method) }),
        }
    }

    fn on_response(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        req: ReqId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        let status = msg.status().unwrap_or(Status::SERVER_ERROR);
        if leg.awaits(req) {
            return match leg.state {
                LegState::Early => self.on_branch_response(facts, id, msg, out),
                _ => self.on_reinvite_response(facts, id, msg, out),
            };
        }
        match leg.state {
            LegState::Leaving { req: bye } if bye == req && status.is_final() => leg.down(id, out),
            _ if status.is_success()
                && msg.method() == Method::Invite
                && leg.remote_tag() != msg.to_tag() =>
            {
                self.on_stray_answer(id, req, msg, out);
            }
            _ => {}
        }
    }

    fn on_failed(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        req: ReqId,
        why: Failure,
        out: &mut Outbox<Effect>,
    ) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        if leg.awaits(req) {
            return match leg.state {
                LegState::Early => self.on_branch_failed(facts, id, why, out),
                _ => self.on_reinvite_failed(facts, id, why, out),
            };
        }
        if leg.state == (LegState::Leaving { req }) {
            leg.down(id, out);
        }
    }

    fn on_timer(&mut self, facts: &Facts<'_>, key: TimerKey, out: &mut Outbox<Effect>) {
        match key {
            TimerKey::Ring => self.on_ring_timeout(facts, out),
            TimerKey::Age => self.hang_up(facts, CdrCause::Timeout, out),
            TimerKey::Stats => self.on_stats_timeout(out),
            TimerKey::Linger if self.state == State::Ending => self.on_linger(out),
            TimerKey::Linger => {}
            TimerKey::Ack(leg) => self.on_ack_timer(facts, leg, out),
        }
    }
}

//= RFC 3261 §8.2.1
/// What the rest of the methods get inside a dialog: only what works is allowed.
fn in_dialog(method: Method) -> OutResponse {
    let status = match method {
        Method::Options => Status::OK,
        Method::Other => Status::NOT_IMPLEMENTED,
        _ => Status::METHOD_NOT_ALLOWED,
    };
    let mut response = OutResponse::new(status);
    response.extra.push((HeaderName::Allow, ALLOW.to_string()));
    if status.is_success() {
        response.extra.push((HeaderName::Accept, crate::offer_answer::SDP.to_string()));
    }
    response
}
