//! The end of a call — RFC 3261 §15, and the record's last second.
//! Owns: leaving every leg in the way that its state asks for, closing the media once, waiting for
//! what peers still owe. Does not know: why the call ends; that is the record's cause.
//!
//! ```text
//!   any ──end──▶ Ending ─ legs down, record closed ─▶ Gone
//!                   └──────── Linger (70 s) ───────────▲
//! ```
use crate::anchor::stream_owner;
use crate::b2bua::{CANCELLED, ELSEWHERE};
use crate::call::{Call, State};
use crate::effect::{CallEvent, Effect, LegId, TimerKey};
use crate::facts::Facts;
use crate::leg::{Invite, LegState};
use crate::uas_leg::AckWait;
use bitspath_core::limits::CDR_STATS_WAIT;
use bitspath_core::store::CdrCause;
use bitspath_core::{Duration, Outbox};
use bitspath_media::Evt;
use bitspath_sip::Status;
use bitspath_sip::endpoint::TxnId;
use bitspath_sip::wire::{Message, OutResponse};

/// An unanswered 2xx and then an unanswered BYE, 64*T1 each, and a little more.
pub const LINGER: Duration = Duration::from_secs(70);

impl Call {
    /// Ends the call, once; later causes are echoes.
    pub(crate) fn end(
        &mut self,
        facts: &Facts<'_>,
        cause: CdrCause,
        to_callees: &'static str,
        out: &mut Outbox<Effect>,
    ) {
        if !matches!(self.state, State::New | State::Setup | State::Up) {
            return;
        }
        self.state = State::Ending;
        self.record.end(facts.now, cause);
        self.exchange = None;
        for n in 0..self.legs.len() {
            self.leave(LegId(n as u32), to_callees, out);
        }
        self.anchor.close(facts.call, out);
        for key in [TimerKey::Ring, TimerKey::Age] {
            out.push(Effect::CancelTimer(key));
        }
        if self.anchor.is_quiet() {
            self.close_record(out);
        } else {
            out.push(Effect::SetTimer(TimerKey::Stats, facts.now.mono + CDR_STATS_WAIT));
        }
        out.push(Effect::SetTimer(TimerKey::Linger, facts.now.mono + LINGER));
    }

    /// Ends one leg as its state asks.
    fn leave(&mut self, id: LegId, to_callees: &'static str, out: &mut Outbox<Effect>) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        let terminated = || OutResponse::new(Status::REQUEST_TERMINATED);
        match (leg.state, &leg.invite) {
            (LegState::Early, Invite::Sent { .. }) => leg.cancel(id, to_callees, out),
            (LegState::Early, _) => {
                leg.refuse(terminated(), out);
                leg.down(id, out);
            }
            //= RFC 3261 §15
            // No BYE towards a caller whose ACK is on its way.
            (LegState::Up, Invite::Answered { .. }) => leg.bye_after_ack = true,
            (LegState::Up, _) => {
                leg.ack_pending(id, out);
                leg.refuse(terminated(), out);
                leg.cancel(id, to_callees, out);
                leg.bye(id, out);
            }
            (LegState::Leaving { .. } | LegState::Down, _) => {}
        }
    }

    /// A callee's 2xx that crossed our CANCEL, or came second: ACK, then BYE.
    pub(crate) fn leave_answered(&mut self, id: LegId, msg: &Message, out: &mut Outbox<Effect>) {
        self.ack_now(id, msg, out);
        if let Some(leg) = self.legs.get_mut(id.0 as usize) {
            leg.bye(id, out);
        }
    }

    //= RFC 3261 §15.1.2
    /// A BYE of either side: 200, 487 to its open INVITE, and the other side gets ours.
    pub(crate) fn on_bye(
        &mut self,
        facts: &Facts<'_>,
        id: LegId,
        txn: TxnId,
        out: &mut Outbox<Effect>,
    ) {
        out.push(Effect::Respond { txn, response: OutResponse::new(Status::OK) });
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        if matches!(leg.state, LegState::Leaving { .. }) {
            return;
        }
        let early = leg.state == LegState::Early;
        leg.refuse(OutResponse::new(Status::REQUEST_TERMINATED), out);
        leg.forget_ack(id, out);
        // A 2xx of this peer that we have not acknowledged still gets its ACK.
        leg.ack_pending(id, out);
        leg.cancel(id, ELSEWHERE, out);
        leg.down(id, out);
        let cause = match id {
            LegId::CALLER if early => CdrCause::Cancelled,
            LegId::CALLER => CdrCause::CallerHungUp,
            _ => CdrCause::CalleeHungUp,
        };
        if early {
            self.record.refused(Status::REQUEST_TERMINATED.0);
        }
        self.end(facts, cause, CANCELLED, out);
    }

    /// By the operator, at shutdown, or at the age limit.
    pub(crate) fn hang_up(&mut self, facts: &Facts<'_>, cause: CdrCause, out: &mut Outbox<Effect>) {
        if self.state == State::Setup {
            let response = OutResponse::new(Status::SERVICE_UNAVAILABLE);
            self.refuse(facts, response, cause, out);
        } else {
            self.end(facts, cause, ELSEWHERE, out);
        }
    }

    pub(crate) fn on_ack_timer(&mut self, facts: &Facts<'_>, id: LegId, out: &mut Outbox<Effect>) {
        let Some(leg) = self.legs.get_mut(id.0 as usize) else { return };
        if leg.on_ack_timer(facts, id, out) == AckWait::GivenUp {
            //= RFC 3261 §13.3.1.4
            // No ACK in 64*T1: the dialog stands, the session ends with BYE.
            if self.state == State::Ending {
                leg.bye(id, out);
            } else {
                self.end(facts, CdrCause::Timeout, ELSEWHERE, out);
            }
        }
    }

    pub(crate) fn on_media(&mut self, facts: &Facts<'_>, evt: &Evt, out: &mut Outbox<Effect>) {
        match evt {
            Evt::Closed { stream, stats } => {
                let (_, side) = stream_owner(*stream);
                if self.anchor.closed(side) {
                    self.record.count(side, stats.packets_in);
                    if self.anchor.is_quiet() {
                        out.push(Effect::CancelTimer(TimerKey::Stats));
                        self.close_record(out);
                    }
                }
            }
            Evt::Failed { stream: Some(_), .. } => {
                self.end(facts, CdrCause::MediaTimeout, ELSEWHERE, out);
            }
            // Latches, digits and silence are the ladder's business for now.
            _ => {}
        }
    }

    /// Statistics that have not come by now will not be waited for.
    pub(crate) fn on_stats_timeout(&mut self, out: &mut Outbox<Effect>) {
        self.close_record(out);
    }

    /// Peers that owe us an answer for this long are given up.
    pub(crate) fn on_linger(&mut self, out: &mut Outbox<Effect>) {
        for (n, leg) in self.legs.iter_mut().enumerate() {
            let id = LegId(n as u32);
            leg.forget_ack(id, out);
            leg.invite = Invite::Idle;
            if leg.state != LegState::Down {
                leg.down(id, out);
            }
        }
        out.push(Effect::CancelTimer(TimerKey::Stats));
        self.close_record(out);
    }

    fn close_record(&mut self, out: &mut Outbox<Effect>) {
        if let Some(row) = self.record.close() {
            out.push(Effect::Cdr(row.clone()));
            out.push(Effect::Log(CallEvent::Ended(row)));
        }
    }

    /// Gone as soon as nobody owes anybody anything.
    pub(crate) fn rest(&mut self, out: &mut Outbox<Effect>) {
        let quiet = self.record.is_closed() && self.legs.iter().all(|l| l.is_at_rest());
        if self.state == State::Ending && quiet {
            self.state = State::Gone;
            out.push(Effect::CancelTimer(TimerKey::Linger));
            out.push(Effect::Gone);
        }
    }
}
