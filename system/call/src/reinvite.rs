//! A changed session: re-INVITE of either side, passed through end to end — RFC 3261 §14.
//! Owns: glare, the pending offer, target refresh, the exchange that ends in two ACKs.
//! Missing: UPDATE; putting the other side back when a re-INVITE is cancelled too late.
//!
//! ```text
//!   asker ─INVITE▶ │ ─INVITE▶ other        Received │ Sent
//!   asker ◀──200── │ ◀──200── other        Answered │ ACK at once, or Unacked when it offers
//!   asker ──ACK──▶ │ ──ACK──▶ other        Idle     │ Idle
//! ```
use crate::b2bua::{CANCELLED, ELSEWHERE, Exchange, side};
use crate::call::{Call, Failure, State};
use crate::effect::{Effect, LegId};
use crate::facts::Facts;
use crate::leg::{Invite, Leg, LegState};
use crate::{offer_answer, outcome};
use alloc::boxed::Box;
use alloc::string::ToString;
use bitspath_core::store::CdrCause;
use bitspath_core::{Outbox, Purpose};
use bitspath_sip::Status;
use bitspath_sip::endpoint::TxnId;
use bitspath_sip::sdp::Session;
use bitspath_sip::wire::{HeaderName, Message, OutResponse};

impl Call {
    pub(crate) fn on_reinvite(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        txn: TxnId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        if let Some(response) = self.out_of_turn(facts, id, txn) {
            return out.push(Effect::Respond { txn, response });
        }
        let offer = match offer_answer::offer(msg) {
            Ok(offer) => offer,
            Err(why) => return out.push(Effect::Respond { txn, response: why.response() }),
        };
        let other = self.other(id);
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        leg.received(txn, msg);
        refresh(leg, id, msg, out);
        if self.service.is_some() {
            return self.serve_again(facts, offer, out);
        }
        let line = offer.as_ref().map_or(0, offer_answer::line);
        let offer = offer.map(Box::new);
        let port = self.anchor.port(side(other));
        let sent = self.legs.get_mut(other.0 as usize).is_some_and(|leg| {
            let body = offer.as_ref().map(|o| offer_answer::relay_offer(leg, o, line, port));
            leg.reinvite(other, body, out)
        });
        if sent {
            self.exchange = Some(Exchange { asker: id, offer, line, early: None });
        } else if let Some(leg) = self.legs.get_mut(id.0 as usize) {
            leg.refuse(OutResponse::new(Status::SERVER_ERROR), out);
        }
    }

    /// The refusal of a re-INVITE that comes while another INVITE is under way.
    fn out_of_turn(&self, facts: &Facts<'_>, id: LegId, txn: TxnId) -> Option<OutResponse> {
        let leg = self.leg(id)?;
        match leg.invite {
            //= RFC 3261 §14.2
            // A second INVITE before the first is answered, or before its answer is acknowledged.
            Invite::Received { .. } | Invite::Answered { .. } => {
                let mut response = OutResponse::new(Status::SERVER_ERROR);
                let seconds = facts.entropy.below(Purpose::Jitter, facts.call, txn.as_u64(), 11);
                response.extra.push((HeaderName::RetryAfter, seconds.to_string()));
                return Some(response);
            }
            //= RFC 3261 §14.2
            // Glare: ours is under way.
            Invite::Sent { .. } | Invite::Unacked { .. } => {
                return Some(OutResponse::new(Status::REQUEST_PENDING));
            }
            Invite::Idle => {}
        }
        if self.state != State::Up {
            return Some(OutResponse::new(Status::NO_SUCH_CALL));
        }
        if self.service.is_some() {
            return None;
        }
        // The other leg has an INVITE of its own under way: glare, seen across the call.
        let free =
            self.leg(self.other(id)).is_some_and(|l| l.is_up() && matches!(l.invite, Invite::Idle));
        (!free || self.exchange.is_some()).then(|| OutResponse::new(Status::REQUEST_PENDING))
    }

    /// A response to a re-INVITE that we passed on to `id`.
    pub(crate) fn on_reinvite_response(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let Some(status) = msg.status() else { return };
        if status.is_provisional() {
            return;
        }
        if !status.is_success() {
            return self.on_reinvite_refused(facts, id, status, out);
        }
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        refresh(leg, id, msg, out);
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.state == State::Up) else {
            return self.on_late_answer(facts, id, msg, out);
        };
        let (asker, delayed) = (exchange.asker, exchange.offer.is_none());
        let body = match offer_answer::session(msg) {
            Ok(Some(offer)) if delayed => self.pass_offer(id, asker, offer, out),
            Ok(Some(answer)) => self.agree(facts, id, &answer, out),
            _ => None,
        };
        if !delayed || body.is_none() {
            self.ack_now(id, msg, out);
            self.exchange = None;
        }
        let Some(asker_leg) = self.legs.get_mut(asker.0 as usize) else { return };
        match body {
            Some(body) => asker_leg.accept(facts, asker, Some(body), out),
            None => asker_leg.refuse(OutResponse::new(Status::NOT_ACCEPTABLE_HERE), out),
        }
    }

    /// The 2xx came although its asker has cancelled, or the call is over.
    fn on_late_answer(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let offered = self.ack_now(id, msg, out);
        if offered {
            // We had to refuse every stream of its offer: there is no session left to go on with.
            self.end(facts, CdrCause::NotAcceptable, ELSEWHERE, out);
        }
    }

    /// ACK for the 2xx in hand; an offer in it is refused. True when there was one.
    pub(crate) fn ack_now(&mut self, id: LegId, msg: &Message, out: &mut Outbox<Effect>) -> bool {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return false };
        let ours = matches!(&leg.invite, Invite::Sent { ask, .. } if ask.body.is_some());
        let offer = offer_answer::session(msg).ok().flatten().filter(|_| !ours);
        let body = offer.as_ref().map(|o| offer_answer::refuse_all(leg, o));
        leg.ack(id, body, out);
        offer.is_some()
    }

    fn on_reinvite_refused(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        status: Status,
        out: &mut Outbox<Effect>,
    ) {
        if let Some(leg) = self.legs.get_mut(id.0 as usize) {
            leg.invite = Invite::Idle;
        }
        //= RFC 3261 §14.1
        // 481 and no answer at all end the dialog; anything else leaves the session as it was.
        let lost = matches!(status, Status::NO_SUCH_CALL | Status::REQUEST_TIMEOUT);
        if let Some(exchange) = self.exchange.take()
            && let Some(asker) = self.legs.get_mut(exchange.asker.0 as usize)
        {
            asker.refuse(OutResponse::new(outcome::to_asker(status)), out);
        }
        if lost && self.state == State::Up {
            let cause = match (status, id) {
                (Status::REQUEST_TIMEOUT, _) => CdrCause::Timeout,
                (_, LegId::CALLER) => CdrCause::CallerHungUp,
                _ => CdrCause::CalleeHungUp,
            };
            self.end(facts, cause, ELSEWHERE, out);
        }
    }

    pub(crate) fn on_reinvite_failed(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        why: Failure,
        out: &mut Outbox<Effect>,
    ) {
        let status = match why {
            Failure::Timeout => Status::REQUEST_TIMEOUT,
            Failure::Transport | Failure::Full => Status::SERVER_ERROR,
        };
        self.on_reinvite_refused(facts, id, status, out);
    }

    /// The asker takes its re-INVITE back.
    pub(crate) fn cancel_exchange(
        &mut self,
        id: LegId,
        response: OutResponse,
        out: &mut Outbox<Effect>,
    ) {
        if let Some(leg) = self.legs.get_mut(id.0 as usize) {
            leg.refuse(response, out);
        }
        if self.exchange.as_ref().is_some_and(|e| e.asker == id) {
            self.exchange = None;
            let other = self.other(id);
            if let Some(leg) = self.legs.get_mut(other.0 as usize) {
                leg.cancel(other, CANCELLED, out);
            }
        }
    }

    /// The ACK of a 2xx that we gave; in a delayed exchange it carries the answer.
    pub(crate) fn on_ack(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        if !leg.on_ack(id, msg, out) {
            return;
        }
        if leg.bye_after_ack {
            return leg.bye(id, out);
        }
        let Some(exchange) = self.exchange.take_if(|e| e.asker == id) else { return };
        if exchange.offer.is_some() {
            return;
        }
        let done = match offer_answer::session(msg) {
            Ok(Some(answer)) if self.service.is_some() => self.serve_answered(facts, &answer, out),
            Ok(Some(answer)) => self.pass_answer(facts, id, &answer, exchange.line, out),
            _ => None,
        };
        if done.is_none() {
            self.end(facts, CdrCause::NotAcceptable, ELSEWHERE, out);
        }
    }

    /// The asker's answer, from its ACK into the ACK of the other side's 2xx.
    fn pass_answer(
        &mut self,
        facts: &Facts<'_>,
        asker: LegId,
        answer: &Session,
        line: usize,
        out: &mut Outbox<Effect>,
    ) -> Option<()> {
        let other = self.other(asker);
        let port = self.anchor.port(side(other));
        let asker_cfg = offer_answer::stream_cfg(self.leg(asker)?, answer, line);
        let leg = self.legs.get_mut(other.0 as usize)?;
        let Invite::Unacked { offer, .. } = &leg.invite else { return None };
        let offer = offer.clone();
        let other_cfg = offer_answer::stream_cfg(leg, &offer, line);
        let body = offer_answer::relay_answer(leg, &offer, answer, line, port);
        leg.ack(other, Some(body), out);
        self.apply_media(facts, (asker, asker_cfg), (other, other_cfg), out);
        Some(())
    }

    /// The leg at the other end of the conversation.
    pub(crate) fn other(&self, id: LegId) -> LegId {
        match id {
            LegId::CALLER => self.winner.unwrap_or(LegId(1)),
            _ => LegId::CALLER,
        }
    }
}

//= RFC 3261 §12.2.1.2
/// A re-INVITE or its 2xx moves the remote target.
fn refresh(leg: &mut Leg, id: LegId, msg: &Message, out: &mut Outbox<Effect>) {
    if leg.state != LegState::Up {
        return;
    }
    if let Some(dialog) = &mut leg.dialog {
        dialog.refresh_target(msg);
    }
    leg.will(id, out);
}
