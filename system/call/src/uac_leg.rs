//! The asking half of a leg: an INVITE that we sent, and the ends of a dialog — RFC 3261 §9.1,
//! §13.2, §15.1.1.
//! Owns: ACK for every 2xx, CANCEL once, BYE once.
//! Does not know: why; which leg asked for it.
//!
//! ```text
//!   Idle ─INVITE▶ Sent ─2xx, our offer answered──▶ ACK, Idle
//!                  │  └─2xx with the peer's offer─▶ Unacked ─our answer▶ ACK, Idle
//!                  ├─CANCEL▶ Sent(cancelled) ─2xx all the same▶ ACK, BYE
//!                  └─300-699, no answer▶ Idle
//! ```
use crate::effect::{Effect, LegId, ReqId};
use crate::leg::{Invite, Leg, LegState};
use crate::offer_answer;
use alloc::boxed::Box;
use bitspath_core::Outbox;
use bitspath_sip::Method;
use bitspath_sip::dialog::Dialog;
use bitspath_sip::sdp::Session;
use bitspath_sip::wire::{Body, Message, OutRequest};

impl Leg {
    /// The first INVITE of this leg.
    pub fn invite(&mut self, id: LegId, request: OutRequest, out: &mut Outbox<Effect>) {
        let req = self.mint();
        let (call_id, local_tag) = (request.call_id.clone(), self.tag.clone());
        out.push(Effect::Bind { leg: id, call_id, local_tag });
        out.push(Effect::Request { leg: id, req, flow: self.flow, request: request.clone() });
        self.invite = Invite::Sent { req, ask: Box::new(request), cancelled: false };
    }

    /// An INVITE inside the dialog.
    pub fn reinvite(&mut self, id: LegId, body: Option<Body>, out: &mut Outbox<Effect>) -> bool {
        let Some((req, ask)) = self.request(id, Method::Invite, body, out) else { return false };
        self.invite = Invite::Sent { req, ask: Box::new(ask), cancelled: false };
        true
    }

    /// The INVITE that `req` numbers is still without a final response.
    pub fn awaits(&self, number: ReqId) -> bool {
        matches!(&self.invite, Invite::Sent { req, .. } if *req == number)
    }

    /// The peer took our first INVITE up: the dialog is there.
    pub fn confirm(&mut self, id: LegId, msg: &Message, out: &mut Outbox<Effect>) {
        let Invite::Sent { ask, .. } = &self.invite else { return };
        self.dialog = Some(Dialog::uac(ask, msg));
        self.state = LegState::Up;
        self.will(id, out);
    }

    //= RFC 3261 §13.2.2.4
    /// ACK for the 2xx that just came to `req`; ends the INVITE.
    pub fn ack(&mut self, id: LegId, body: Option<Body>, out: &mut Outbox<Effect>) {
        let (req, cseq) = match &self.invite {
            Invite::Sent { req, ask, .. } => (*req, ask.cseq),
            Invite::Unacked { req, cseq, .. } => (*req, *cseq),
            _ => return,
        };
        self.invite = Invite::Idle;
        let Some(dialog) = &self.dialog else { return };
        let mut request = dialog.ack(cseq);
        request.body = body;
        let to_tag = dialog.remote_tag.clone();
        out.push(Effect::Ack { leg: id, req, to_tag, flow: self.flow, request });
    }

    /// The 2xx brought an offer: its ACK waits for our answer.
    pub fn hold_ack(&mut self, offer: Session) {
        if let Invite::Sent { req, ask, .. } = &self.invite {
            let (req, cseq) = (*req, ask.cseq);
            self.invite = Invite::Unacked { req, cseq, offer: Box::new(offer) };
        }
    }

    /// ACK for a 2xx whose offer nobody will answer any more: every stream refused.
    pub fn ack_pending(&mut self, id: LegId, out: &mut Outbox<Effect>) {
        if let Invite::Unacked { offer, .. } = &self.invite {
            let offer = offer.clone();
            let body = offer_answer::refuse_all(self, &offer);
            self.ack(id, Some(body), out);
        }
    }

    //= RFC 3261 §9.1
    /// Asks the peer to forget our INVITE, once; its final response still comes.
    pub fn cancel(&mut self, id: LegId, reason: &'static str, out: &mut Outbox<Effect>) {
        if let Invite::Sent { req, cancelled, .. } = &mut self.invite
            && !*cancelled
        {
            *cancelled = true;
            out.push(Effect::Cancel { leg: id, req: *req, reason });
        }
    }

    //= RFC 3261 §15.1.1
    /// Ends the dialog; the leg is down when the answer comes, whatever it says.
    pub fn bye(&mut self, id: LegId, out: &mut Outbox<Effect>) {
        if self.state != LegState::Up {
            return;
        }
        match self.request(id, Method::Bye, None, out) {
            Some((req, _)) => {
                self.state = LegState::Leaving { req };
                out.push(Effect::NoWill { leg: id });
            }
            None => self.down(id, out),
        }
    }
}
