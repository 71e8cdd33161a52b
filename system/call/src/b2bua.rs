//! The call from its ringing to its answer — RFC 3261 §16.7 (choice among branches), RFC 7092 §3.
//! Owns: the first 2xx that wins, what the caller hears of the others, ring time, CANCEL.
//! Does not know: transactions' timers, packets. Missing: following 3xx, ringing one by one.
//!
//! ```text
//!                            ┌─18x, early media──┐
//!   INVITE ─▶ Setup ─────────┴──▶ Setup ◀────────┘
//!               ├─ first 2xx: cancel the rest, 200 ─▶ Up ── BYE ──▶ Ending ─ all quiet ─▶ Gone
//!               ├─ CANCEL: 487, cancel all ─────────────────────────▲ ▲ ▲
//!               ├─ ring time: 480, cancel all ────────────────────────┘ │
//!               └─ all refused: the best refusal ───────────────────────┘
//! ```
use crate::anchor;
use crate::call::{Call, Failure, State};
use crate::effect::{CallEvent, Effect, LegId, ReqId, TimerKey};
use crate::facts::Facts;
use crate::leg::{Invite, Leg, LegState};
use crate::{offer_answer, outcome, stray};
use alloc::boxed::Box;
use alloc::string::ToString;
use bitspath_core::store::CdrCause;
use bitspath_core::{Duration, Outbox};
use bitspath_media::StreamCfg;
use bitspath_sip::Status;
use bitspath_sip::endpoint::TxnId;
use bitspath_sip::sdp::Session;
use bitspath_sip::wire::{Body, HeaderName, Message, OutResponse};
use serde::{Deserialize, Serialize};

pub const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
pub const CANCELLED: &str = "SIP;cause=487;text=\"Cancelled by the caller\"";
pub const NO_ANSWER: &str = "SIP;cause=480;text=\"No answer\"";
/// 503 for want of a port: they come back after quarantine.
const PORTS_RETRY: Duration = bitspath_core::limits::PORT_QUARANTINE;

/// One INVITE on its way through the call: the first one, or a re-INVITE.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exchange {
    pub asker: LegId,
    /// The asker's offer; `None`: the offer comes from the other side, its answer in the ACK.
    pub offer: Option<Box<Session>>,
    /// The m-line that is carried.
    pub line: usize,
    /// The answer of the branch whose early media the caller hears.
    pub early: Option<(LegId, Box<Session>)>,
}

impl Call {
    /// A response to the first INVITE of a callee's leg.
    pub(crate) fn on_branch_response(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let Some(status) = msg.status() else { return };
        if status.is_provisional() {
            return self.on_progress(facts, id, status, msg, out);
        }
        if status.is_success() {
            return self.on_answer(facts, id, msg, out);
        }
        self.on_branch_refused(facts, id, status, out);
    }

    /// 18x of a branch: what the caller hears while it rings.
    fn on_progress(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        status: Status,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let cancelled =
            self.leg(id).is_none_or(|l| matches!(&l.invite, Invite::Sent { cancelled: true, .. }));
        if self.state != State::Setup || cancelled || !(180..=183).contains(&status.0) {
            return;
        }
        let body = self.early_media(facts, id, msg, out);
        let several = self.legs.len() > 2;
        if several && body.is_none() && self.rang == Some(status.0) {
            return;
        }
        if self.rang.is_none() {
            out.push(Effect::Log(CallEvent::Ringing));
        }
        self.rang = Some(status.0);
        if let Some(caller) = self.legs.first_mut() {
            caller.provisional(status, body, out);
        }
    }

    /// The early answer of a branch, relayed when no other branch was first.
    fn early_media(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) -> Option<Body> {
        // An offer in an unreliable response is none: RFC 3261 §13.2.1.
        let exchange = self.exchange.as_mut()?;
        exchange.offer.as_ref()?;
        if exchange.early.as_ref().is_some_and(|(first, _)| *first != id) {
            return None;
        }
        let answer = offer_answer::session(msg).ok().flatten()?;
        exchange.early = Some((id, Box::new(answer.clone())));
        self.agree(facts, id, &answer, out)
    }

    /// The answer of `answerer` to the asker's offer takes effect; gives our answer to the asker.
    pub(crate) fn agree(
        &mut self,
        facts: &Facts<'_>,
        answerer: LegId,
        answer: &Session,
        out: &mut Outbox<Effect>,
    ) -> Option<Body> {
        let exchange = self.exchange.as_ref()?;
        let (asker, line) = (exchange.asker, exchange.line);
        let offer = exchange.offer.as_deref()?;
        let asker_cfg = offer_answer::stream_cfg(leg_of(&self.legs, asker)?, offer, line);
        let answerer_cfg = offer_answer::stream_cfg(leg_of(&self.legs, answerer)?, answer, line);
        let port = self.anchor.port(side(asker));
        let leg = self.legs.get_mut(asker.0 as usize)?;
        let body = offer_answer::relay_answer(leg, offer, answer, line, port);
        self.apply_media(facts, (asker, asker_cfg), (answerer, answerer_cfg), out);
        Some(body)
    }

    pub(crate) fn apply_media(
        &mut self,
        facts: &Facts<'_>,
        one: (LegId, StreamCfg),
        other: (LegId, StreamCfg),
        out: &mut Outbox<Effect>,
    ) {
        for (leg, cfg) in [one, other] {
            self.anchor.set(facts.call, side(leg), cfg, out);
        }
        self.anchor.link(facts.call, out);
    }

    /// 2xx of a branch.
    fn on_answer(&mut self, facts: &Facts<'_>, id: LegId, msg: &Message, out: &mut Outbox<Effect>) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        leg.confirm(id, msg, out);
        if self.state != State::Setup || self.winner.is_some() {
            //= RFC 3261 §9.1
            // The 2xx crossed our CANCEL: that dialog is there, and must be ended.
            return self.leave_answered(id, msg, out);
        }
        self.winner = Some(id);
        out.push(Effect::CancelTimer(TimerKey::Ring));
        self.cancel_others(id, ELSEWHERE, out);
        let delayed = self.exchange.as_ref().is_some_and(|e| e.offer.is_none());
        let body = match offer_answer::session(msg) {
            Ok(Some(offer)) if delayed => self.pass_offer(id, LegId::CALLER, offer, out),
            Ok(Some(answer)) => self.agree(facts, id, &answer, out),
            // A phone that gave its answer in 18x only.
            Ok(None) if !delayed => self.early_answer(facts, id, out),
            _ => None,
        };
        if !delayed || body.is_none() {
            self.ack_now(id, msg, out);
        }
        match body {
            Some(body) => self.answer_caller(facts, Some(body), out),
            None => {
                let status = Status::SERVER_ERROR;
                self.refuse(facts, OutResponse::new(status), CdrCause::NotAcceptable, out);
            }
        }
    }

    fn early_answer(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        out: &mut Outbox<Effect>,
    ) -> Option<Body> {
        let (first, answer) = self.exchange.as_ref()?.early.clone()?;
        if first == id { self.agree(facts, id, &answer, out) } else { None }
    }

    /// The answerer's offer in its 2xx, as our offer to the asker; the ACK waits for the answer.
    pub(crate) fn pass_offer(
        &mut self,
        answerer: LegId,
        asker: LegId,
        offer: Session,
        out: &mut Outbox<Effect>,
    ) -> Option<Body> {
        let _ = out;
        if bitspath_sip::sdp::acceptable(&offer).is_err() {
            return None;
        }
        let line = offer_answer::line(&offer);
        self.exchange.as_mut()?.line = line;
        let port = self.anchor.port(side(asker));
        let leg = self.legs.get_mut(asker.0 as usize)?;
        let body = offer_answer::relay_offer(leg, &offer, line, port);
        self.legs.get_mut(answerer.0 as usize)?.hold_ack(offer);
        Some(body)
    }

    /// 200 to the caller: the call is up and its record open.
    pub(crate) fn answer_caller(
        &mut self,
        facts: &Facts<'_>,
        body: Option<Body>,
        out: &mut Outbox<Effect>,
    ) {
        self.state = State::Up;
        if let Some(caller) = self.legs.first_mut() {
            caller.accept(facts, LegId::CALLER, body, out);
            caller.state = LegState::Up;
            caller.will(LegId::CALLER, out);
        }
        let port = |side| self.anchor.port(side).map_or(0, |p| p.udp(false));
        let (caller_port, callee_port) = (port(anchor::CALLER), port(anchor::CALLEE));
        out.push(Effect::Log(CallEvent::Answered { caller_port, callee_port }));
        if let Some(row) = self.record.answer(facts.now) {
            out.push(Effect::Cdr(row));
        }
    }

    pub(crate) fn cancel_others(
        &mut self,
        winner: LegId,
        reason: &'static str,
        out: &mut Outbox<Effect>,
    ) {
        for (n, leg) in self.legs.iter_mut().enumerate().skip(1) {
            let id = LegId(n as u32);
            if id != winner {
                leg.cancel(id, reason, out);
            }
        }
    }

    /// A branch is lost; the last one decides what the caller hears.
    fn on_branch_refused(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        status: Status,
        out: &mut Outbox<Effect>,
    ) {
        if let Some(leg) = self.legs.get_mut(id.0 as usize) {
            leg.invite = Invite::Idle;
            leg.down(id, out);
        }
        if let Some(exchange) = &mut self.exchange {
            // Another branch may be heard now.
            exchange.early.take_if(|(first, _)| *first == id);
        }
        if self.state != State::Setup || self.winner.is_some() {
            return;
        }
        let heard = outcome::to_caller(status);
        let best = self.best.filter(|b| outcome::rank(*b) >= outcome::rank(heard));
        let best = best.unwrap_or(heard);
        self.best = Some(best);
        let waiting = self.legs.iter().skip(1).any(|l| matches!(l.invite, Invite::Sent { .. }));
        //= RFC 3261 §16.7
        // A 6xx ends the search at once.
        if !waiting || best.class() == 6 {
            self.refuse(facts, OutResponse::new(best), outcome::cause(best), out);
        }
    }

    /// A branch that cannot be reached, or does not answer at all.
    pub(crate) fn on_branch_failed(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        why: Failure,
        out: &mut Outbox<Effect>,
    ) {
        let status = match why {
            Failure::Timeout => Status::REQUEST_TIMEOUT,
            Failure::Transport => Status::TEMPORARILY_UNAVAILABLE,
            Failure::Full => Status::SERVER_ERROR,
        };
        self.on_branch_refused(facts, id, status, out);
    }

    /// The caller gave up; the endpoint has answered the CANCEL itself.
    pub(crate) fn on_cancel(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        txn: TxnId,
        out: &mut Outbox<Effect>,
    ) {
        let waits = self.leg(id).is_some_and(
            |l| matches!(l.invite, Invite::Received { txn: waiting, .. } if waiting == txn),
        );
        if !waits {
            return;
        }
        let response = OutResponse::new(Status::REQUEST_TERMINATED);
        if self.state == State::Setup && id == LegId::CALLER {
            self.refuse_with(facts, response, CdrCause::Cancelled, CANCELLED, out);
        } else {
            self.cancel_exchange(id, response, out);
        }
    }

    pub(crate) fn on_ring_timeout(&mut self, facts: &Facts<'_>, out: &mut Outbox<Effect>) {
        if self.state == State::Setup {
            let response = OutResponse::new(Status::TEMPORARILY_UNAVAILABLE);
            self.refuse_with(facts, response, CdrCause::NoAnswer, NO_ANSWER, out);
        }
    }

    /// The attempt ends with a refusal to the caller.
    pub(crate) fn refuse(
        &mut self,
        facts: &Facts<'_>,
        response: OutResponse,
        cause: CdrCause,
        out: &mut Outbox<Effect>,
    ) {
        self.refuse_with(facts, response, cause, ELSEWHERE, out);
    }

    fn refuse_with(
        &mut self,
        facts: &Facts<'_>,
        response: OutResponse,
        cause: CdrCause,
        to_callees: &'static str,
        out: &mut Outbox<Effect>,
    ) {
        self.record.refused(response.status.0);
        if let Some(caller) = self.legs.first_mut() {
            caller.refuse(response, out);
        }
        self.end(facts, cause, to_callees, out);
    }

    pub(crate) fn refuse_unusable(
        &mut self,
        facts: &Facts<'_>,
        why: offer_answer::Unusable,
        out: &mut Outbox<Effect>,
    ) {
        let response = why.response();
        let cause = outcome::cause(response.status);
        self.refuse(facts, response, cause, out);
    }

    pub(crate) fn refuse_for_ports(&mut self, facts: &Facts<'_>, out: &mut Outbox<Effect>) {
        let mut response = OutResponse::new(Status::SERVICE_UNAVAILABLE);
        let seconds = PORTS_RETRY.as_secs().to_string();
        response.extra.push((HeaderName::RetryAfter, seconds));
        self.refuse(facts, response, CdrCause::Unavailable, out);
    }

    /// A 2xx of another dialog than the leg's own: a fork beyond us that lost.
    pub(crate) fn on_stray_answer(
        &mut self,
        id: LegId,
        req: ReqId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let Some((ack, bye)) = stray::ack_and_bye(msg) else { return };
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        let to_tag = msg.to_tag().unwrap_or_default().to_string();
        let flow = leg.flow;
        let bye_req = leg.mint();
        out.push(Effect::Ack { leg: id, req, to_tag, flow, request: ack });
        out.push(Effect::Request { leg: id, req: bye_req, flow, request: bye });
    }
}

/// The side of the anchor that faces this leg.
pub(crate) const fn side(leg: LegId) -> usize {
    if leg.0 == 0 { anchor::CALLER } else { anchor::CALLEE }
}

pub(crate) fn leg_of(legs: &[Leg], id: LegId) -> Option<&Leg> {
    legs.get(id.0 as usize)
}
