//! The first INVITE and its copies to the callees — RFC 3261 §13.3, §16.6 read as a B2BUA.
//! Owns: what a leg is born with: its Call-ID, tags, CSeq, Max-Forwards; who is named in it.
//! Does not know: what the callees answer (`b2bua`). Nothing of the caller's headers crosses but
//! display names, numbers and the session.
//!
//! ```text
//!   INVITE ─▶ Refuse: final       Service: `service`       Ring: 100, an INVITE to each target
//! ```
use crate::anchor;
use crate::b2bua::Exchange;
use crate::call::{Call, State};
use crate::effect::{CallEvent, Effect, LegId, TimerKey};
use crate::facts::{Branch, Facts, Route};
use crate::leg::{ALLOW, Leg, MAX_FORWARDS};
use crate::{offer_answer, outcome};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::limits::{CALL_AGE_MAX, LEGS_PER_CALL_MAX};
use bitspath_core::{Duration, Outbox, Purpose};
use bitspath_sip::dialog::Dialog;
use bitspath_sip::endpoint::TxnId;
use bitspath_sip::sdp::Session;
use bitspath_sip::wire::params::quote;
use bitspath_sip::wire::{HeaderName, Message, OutRequest, OutResponse};
use bitspath_sip::{Method, NameAddr, Status, mint};

impl Call {
    /// The caller's INVITE, authenticated and planned.
    pub(crate) fn start(
        &mut self,
        facts: &Facts<'_>,
        txn: TxnId,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        let setup = &self.setup;
        let (flow, here) = (setup.flow, setup.here.clone());
        let mut leg = Leg::new(flow, here, setup.tag.clone(), session_id(facts, 0));
        out.push(Effect::Log(CallEvent::Started {
            tenant: setup.tenant.clone(),
            caller: setup.caller.clone(),
            callee: setup.callee.clone(),
            call_id: msg.call_id().to_string(),
        }));
        leg.dialog = Some(Dialog::uas(msg, &leg.tag));
        leg.received(txn, msg);
        let (call_id, local_tag) = (msg.call_id().to_string(), leg.tag.clone());
        self.legs.push(leg);
        self.state = State::Setup;
        match core::mem::replace(&mut self.setup.route, Route::Refuse(Status::SERVER_ERROR)) {
            Route::Refuse(status) => {
                self.refuse(facts, OutResponse::new(status), outcome::cause(status), out);
            }
            Route::Service(service) => {
                out.push(Effect::Bind { leg: LegId::CALLER, call_id, local_tag });
                out.push(Effect::SetTimer(TimerKey::Age, facts.now.mono + CALL_AGE_MAX));
                self.serve(facts, service, msg, out);
            }
            Route::Ring { targets, ring } => {
                out.push(Effect::Bind { leg: LegId::CALLER, call_id, local_tag });
                out.push(Effect::SetTimer(TimerKey::Age, facts.now.mono + CALL_AGE_MAX));
                self.ring(facts, msg, &targets, ring, out);
            }
        }
    }

    fn ring(
        &mut self,
        facts: &Facts<'_>,
        msg: &Message,
        targets: &[Branch],
        ring: Duration,
        out: &mut Outbox<Effect>,
    ) {
        let offer = match offer_answer::offer(msg) {
            Ok(offer) => offer,
            Err(why) => return self.refuse_unusable(facts, why, out),
        };
        if !self.anchor.lease(facts, 2, out) {
            return self.refuse_for_ports(facts, out);
        }
        if let Some(caller) = self.legs.first() {
            caller.trying(out);
        }
        let line = offer.as_ref().map_or(0, offer_answer::line);
        let asker = LegId::CALLER;
        let offer = offer.map(Box::new);
        for branch in targets.iter().take(LEGS_PER_CALL_MAX - 1) {
            let id = LegId(self.legs.len() as u32);
            let leg = self.branch(facts, id, msg, branch, offer.as_deref(), line, out);
            self.legs.push(leg);
        }
        self.exchange = Some(Exchange { asker, offer, line, early: None });
        out.push(Effect::SetTimer(TimerKey::Ring, facts.now.mono + ring));
        if self.legs.len() == 1 {
            let status = Status::TEMPORARILY_UNAVAILABLE;
            self.refuse(facts, OutResponse::new(status), outcome::cause(status), out);
        }
    }

    /// One callee: a leg of its own Call-ID, tag and CSeq, to the Contact verbatim over its flow.
    #[allow(clippy::too_many_arguments)]
    fn branch(
        &self,
        facts: &Facts<'_>,
        id: LegId,
        msg: &Message,
        branch: &Branch,
        offer: Option<&Session>,
        line: usize,
        out: &mut Outbox<Effect>,
    ) -> Leg {
        let n = u64::from(id.0);
        let tag = mint::tag(facts.entropy, facts.node, facts.call, n);
        let mut leg = Leg::new(branch.flow, branch.here.clone(), tag, session_id(facts, n));
        let port = self.anchor.port(anchor::CALLEE);
        let body = offer.map(|o| offer_answer::relay_offer(&mut leg, o, line, port));
        let request = OutRequest {
            method: Method::Invite,
            uri: branch.uri.clone(),
            routes: Vec::new(),
            from: format!("{};tag={}", identity(&msg.from()), leg.tag),
            to: identity(&msg.to()),
            call_id: mint::call_id(facts.entropy, facts.node, facts.call, n),
            cseq: 1 + facts.entropy.below(Purpose::CSeq, facts.call, n, 1 << 16) as u32,
            contact: Some(leg.contact()),
            //= RFC 3261 §16.6
            // A call that comes round to us again has one hop less each time.
            max_forwards: msg.max_forwards().unwrap_or(MAX_FORWARDS).saturating_sub(1),
            extra: alloc::vec![(HeaderName::Allow, ALLOW.to_string())],
            body,
        };
        leg.invite(id, request, out);
        leg
    }
}

fn session_id(facts: &Facts<'_>, leg: u64) -> u64 {
    facts.entropy.at(Purpose::SessionId, facts.call, leg)
}

/// A From or To as it crosses to another leg: display name, user and host; no parameters, no port.
fn identity(name: &NameAddr<'_>) -> String {
    let uri = match name.uri() {
        Ok(uri) if uri.is_sip() || uri.is_sips() => match uri.user {
            Some(user) => format!("<sip:{user}@{}>", uri.host),
            None => format!("<sip:{}>", uri.host),
        },
        // tel: and its like have no parameters that point back to the other leg.
        _ => format!("<{}>", name.uri_text),
    };
    match name.display_name() {
        Some(display) => {
            let display: String = display.chars().filter(|c| !c.is_control()).collect();
            format!("{} {uri}", quote(&display))
        }
        None => uri,
    }
}
