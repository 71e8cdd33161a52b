//! The answering half of a leg: an INVITE that the peer sent us — RFC 3261 §13.3.1, §9.2.
//! Owns: one final response per INVITE, the 2xx that is repeated until its ACK.
//! Does not know: where the answer comes from.
//!
//! ```text
//!   Idle ─INVITE▶ Received ─1xx▶ Received ─2xx▶ Answered ─ACK▶ Idle
//!                     └─300-699▶ Idle              ├─repeat▶ Answered
//!                                                  └─64*T1▶ given up
//! ```
use crate::effect::{Effect, LegId, TimerKey};
use crate::facts::Facts;
use crate::leg::{ALLOW, Invite, Leg};
use alloc::string::ToString;
use bitspath_core::Outbox;
use bitspath_sip::Status;
use bitspath_sip::dialog::Accepted;
use bitspath_sip::dialog::accepted::Due;
use bitspath_sip::endpoint::TxnId;
use bitspath_sip::wire::{Body, HeaderName, Message, OutResponse};

/// What the ACK timer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckWait {
    /// Repeated, or not due yet.
    Waiting,
    GivenUp,
    /// The ACK came meanwhile.
    Over,
}

impl Leg {
    /// Takes an INVITE of the peer on; the caller has seen that none is under way.
    pub fn received(&mut self, txn: TxnId, msg: &Message) {
        self.invite = Invite::Received { txn, cseq: msg.cseq() };
    }

    /// 100 at once, not after 200 ms: the caller is authenticated and the call under way.
    pub fn trying(&self, out: &mut Outbox<Effect>) {
        if let Invite::Received { txn, .. } = self.invite {
            out.push(Effect::Respond { txn, response: OutResponse::new(Status::TRYING) });
        }
    }

    /// Something between 101 and 199, with our tag: an early dialog.
    pub fn provisional(&mut self, status: Status, body: Option<Body>, out: &mut Outbox<Effect>) {
        let Invite::Received { txn, .. } = self.invite else { return };
        let response = self.response(status, body);
        out.push(Effect::Respond { txn, response });
    }

    //= RFC 3261 §13.3.1.4
    /// 200, from now on repeated until its ACK.
    pub fn accept(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        body: Option<Body>,
        out: &mut Outbox<Effect>,
    ) {
        let Invite::Received { txn, cseq } = self.invite else { return };
        let mut response = self.response(Status::OK, body);
        response.extra.push((HeaderName::Allow, ALLOW.to_string()));
        out.push(Effect::Respond { txn, response });
        let accepted = Accepted::new(facts.now.mono, facts.timers);
        arm(id, &accepted, out);
        self.invite = Invite::Answered { txn, cseq, accepted };
    }

    /// A final refusal of the INVITE that waits; nothing when none does.
    pub fn refuse(&mut self, mut response: OutResponse, out: &mut Outbox<Effect>) {
        let Invite::Received { txn, .. } = self.invite else { return };
        response.to_tag = Some(self.tag.clone());
        out.push(Effect::Respond { txn, response });
        self.invite = Invite::Idle;
    }

    /// True when this is the ACK that we waited for.
    pub fn on_ack(&mut self, id: LegId, msg: &Message, out: &mut Outbox<Effect>) -> bool {
        match &self.invite {
            Invite::Answered { cseq, .. } if *cseq == msg.cseq() => {
                out.push(Effect::CancelTimer(TimerKey::Ack(id)));
                self.invite = Invite::Idle;
                true
            }
            _ => false,
        }
    }

    pub fn on_ack_timer(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        out: &mut Outbox<Effect>,
    ) -> AckWait {
        let Invite::Answered { txn, accepted, .. } = &mut self.invite else {
            return AckWait::Over;
        };
        match accepted.handle_timeout(facts.now.mono) {
            Some(Due::GiveUp) => {
                self.invite = Invite::Idle;
                return AckWait::GivenUp;
            }
            Some(Due::Again) => out.push(Effect::Repeat { txn: *txn }),
            None => {}
        }
        arm(id, accepted, out);
        AckWait::Waiting
    }

    /// No ACK is awaited any more: the dialog ended first.
    pub fn forget_ack(&mut self, id: LegId, out: &mut Outbox<Effect>) {
        if matches!(self.invite, Invite::Answered { .. }) {
            out.push(Effect::CancelTimer(TimerKey::Ack(id)));
            self.invite = Invite::Idle;
        }
    }

    /// A response that makes or confirms the dialog.
    fn response(&self, status: Status, body: Option<Body>) -> OutResponse {
        let mut response = OutResponse::new(status);
        response.to_tag = Some(self.tag.clone());
        response.contact = Some(self.contact());
        response.body = body;
        response
    }
}

fn arm(id: LegId, accepted: &Accepted, out: &mut Outbox<Effect>) {
    if let Some((due, _)) = accepted.poll_timeout() {
        out.push(Effect::SetTimer(TimerKey::Ack(id), due));
    }
}
