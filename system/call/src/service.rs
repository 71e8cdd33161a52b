//! Calls that end at ourselves: 600 echo, 601 tone — RFC 3261 §13.3 as a UAS of our own.
//! Owns: the answer at once, also to an INVITE without an offer; what the stream feeds.
//! Does not know: packets, pacing. Missing: announcements, DTMF.
//!
//! ```text
//!   INVITE(offer) ─▶ 200(answer) ─▶ Up        INVITE() ─▶ 200(offer) ─ACK(answer)▶ Up
//! ```
use crate::anchor;
use crate::b2bua::Exchange;
use crate::call::Call;
use crate::effect::{Effect, LegId};
use crate::facts::Facts;
use crate::facts::Service;
use crate::offer_answer;
use bitspath_core::Outbox;
use bitspath_core::store::CdrCause;
use bitspath_media::{Law, Sink};
use bitspath_sip::Status;
use bitspath_sip::sdp::{self, Chosen, Session};
use bitspath_sip::wire::{Body, Message, OutResponse};

/// What echo and tone speak, with the static payload types of RFC 3551.
const CODECS: [&str; 2] = ["PCMU", "PCMA"];
const CODEC_PTS: [u8; 2] = [0, 8];

impl Call {
    /// The first INVITE to a service.
    pub(crate) fn serve(
        &mut self,
        facts: &Facts<'_>,
        service: Service,
        msg: &Message,
        out: &mut Outbox<Effect>,
    ) {
        self.service = Some(service);
        let offer = match offer_answer::offer(msg) {
            Ok(offer) => offer,
            Err(why) => return self.refuse_unusable(facts, why, out),
        };
        if !self.anchor.lease(facts, 1, out) {
            return self.refuse_for_ports(facts, out);
        }
        match self.service_body(facts, offer, out) {
            Some(body) => self.answer_caller(facts, Some(body), out),
            None => {
                let response = OutResponse::new(Status::NOT_ACCEPTABLE_HERE);
                self.refuse(facts, response, CdrCause::NotAcceptable, out);
            }
        }
    }

    /// A re-INVITE to a service.
    pub(crate) fn serve_again(
        &mut self,
        facts: &Facts<'_>,
        offer: Option<Session>,
        out: &mut Outbox<Effect>,
    ) {
        let body = self.service_body(facts, offer, out);
        let Some(caller) = self.legs.first_mut() else { return };
        match body {
            Some(body) => caller.accept(facts, LegId::CALLER, Some(body), out),
            None => caller.refuse(OutResponse::new(Status::NOT_ACCEPTABLE_HERE), out),
        }
    }

    /// The caller's answer to our own offer.
    pub(crate) fn serve_answered(
        &mut self,
        facts: &Facts<'_>,
        answer: &Session,
        out: &mut Outbox<Effect>,
    ) -> Option<()> {
        let chosen = sdp::chosen_by_answer(answer, &CODECS)?;
        self.feed(facts, answer, &chosen, out)
    }

    /// Our answer to the offer, or our offer when there is none.
    fn service_body(
        &mut self,
        facts: &Facts<'_>,
        offer: Option<Session>,
        out: &mut Outbox<Effect>,
    ) -> Option<Body> {
        let port = self.anchor.port(anchor::CALLER)?.udp(false);
        let leg = self.legs.first_mut()?;
        let ip = leg.here.media;
        let Some(offer) = offer else {
            let ours = sdp::offer_for_delayed(ip, port, &CODEC_PTS, &mut leg.origin);
            let asker = LegId::CALLER;
            self.exchange = Some(Exchange { asker, offer: None, line: 0, early: None });
            return Some(offer_answer::body(&ours));
        };
        let answer = sdp::answer_for_service(&offer, &CODECS, ip, port, &mut leg.origin);
        let (answer, chosen) = answer.ok()?;
        self.feed(facts, &offer, &chosen, out)?;
        Some(offer_answer::body(&answer))
    }

    /// Opens or changes the stream and says what it hears.
    fn feed(
        &mut self,
        facts: &Facts<'_>,
        theirs: &Session,
        chosen: &Chosen,
        out: &mut Outbox<Effect>,
    ) -> Option<()> {
        let cfg = offer_answer::stream_cfg(self.leg(LegId::CALLER)?, theirs, chosen.media.into());
        self.anchor.set(facts.call, anchor::CALLER, cfg, out);
        let sink = match self.service? {
            Service::Echo => Sink::Echo,
            Service::Tone => {
                let law =
                    if chosen.codec.name.eq_ignore_ascii_case("PCMA") { Law::A } else { Law::Mu };
                Sink::Tone { pt: chosen.pt, law, ptime_ms: chosen.ptime }
            }
        };
        self.anchor.sink(facts.call, sink, out);
        Some(())
    }
}
