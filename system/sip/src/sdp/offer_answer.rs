//! Whose turn it is, and what may be agreed — RFC 3264; glare of RFC 3261 §14.1, §14.2.
//! Owns: the offer/answer state of one leg and the checks on offers and answers.
//! Does not know: transactions (the leg maps `Violation` to 491 or 500), ports, codecs of ours.
//!
//! ```text
//!            ┌── offer_sent ────▶ OfferSent ─── answer_received ──┐
//!   Stable ──┤                        └── withdraw ──▶ Stable     ├──▶ Stable, agreed
//!            └── offer_received ▶ OfferReceived ─ answer_sent ────┘
//! ```
use super::media::Media;
use super::relayed::off;
use super::session::Session;
use crate::status::Status;
use alloc::boxed::Box;
use serde::{Deserialize, Serialize};

/// What both sides hold to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agreed {
    pub local: Session,
    pub remote: Session,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    Stable,
    /// `early` is the answer of an unreliable 18x: it may be used, the final one settles.
    OfferSent {
        offer: Box<Session>,
        early: Option<Box<Session>>,
    },
    OfferReceived {
        offer: Box<Session>,
        early: Option<Box<Session>>,
    },
}

/// A move out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Violation {
    /// Our own offer is pending: 491.
    OursPending,
    /// Their offer is pending: 500 with Retry-After of 0 to 10 seconds.
    TheirsPending,
    /// An answer that nobody asked for; ignored.
    NoOffer,
    Mismatch(Mismatch),
}

impl Violation {
    //= RFC 3261 §14.2
    /// The answer to a request that carried an offer out of turn.
    pub const fn status(self) -> Status {
        match self {
            Violation::OursPending => Status(491),
            Violation::TheirsPending | Violation::NoOffer => Status(500),
            Violation::Mismatch(_) => Status(488),
        }
    }
}

/// The offer/answer state of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OfferAnswer {
    state: State,
    agreed: Option<Box<Agreed>>,
}

impl Default for OfferAnswer {
    fn default() -> Self {
        OfferAnswer { state: State::Stable, agreed: None }
    }
}

impl OfferAnswer {
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last completed exchange; a failed one leaves it as it was.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_deref()
    }

    /// What we said last: the pending offer or early answer, else the agreed one.
    pub fn local(&self) -> Option<&Session> {
        match &self.state {
            State::OfferSent { offer, .. } => Some(offer),
            State::OfferReceived { early: Some(answer), .. } => Some(answer),
            _ => self.agreed().map(|a| &a.local),
        }
    }

    /// What they said last: the pending offer or early answer, else the agreed one.
    pub fn remote(&self) -> Option<&Session> {
        match &self.state {
            State::OfferReceived { offer, .. } => Some(offer),
            State::OfferSent { early: Some(answer), .. } => Some(answer),
            _ => self.agreed().map(|a| &a.remote),
        }
    }

    pub fn offer_sent(&mut self, offer: Session) -> Result<(), Violation> {
        self.free()?;
        self.state = State::OfferSent { offer: Box::new(offer), early: None };
        Ok(())
    }

    pub fn offer_received(&mut self, offer: Session) -> Result<(), Violation> {
        self.free()?;
        self.state = State::OfferReceived { offer: Box::new(offer), early: None };
        Ok(())
    }

    /// Their answer. A provisional one is kept as early and the offer stays pending. Phones that
    /// leave out the last streams have refused them.
    pub fn answer_received(&mut self, mut answer: Session, last: bool) -> Result<(), Violation> {
        let State::OfferSent { offer, early } = &mut self.state else {
            return Err(Violation::NoOffer);
        };
        answer.media.extend(offer.media.iter().skip(answer.media.len()).map(off));
        check_answer(offer, &answer).map_err(Violation::Mismatch)?;
        if last {
            let agreed = Agreed { local: (**offer).clone(), remote: answer };
            self.settle(agreed);
        } else {
            *early = Some(Box::new(answer));
        }
        Ok(())
    }

    /// Our answer. A provisional one is kept as early and the offer stays pending.
    pub fn answer_sent(&mut self, answer: Session, last: bool) -> Result<(), Violation> {
        let State::OfferReceived { offer, early } = &mut self.state else {
            return Err(Violation::NoOffer);
        };
        check_answer(offer, &answer).map_err(Violation::Mismatch)?;
        if last {
            let agreed = Agreed { local: answer, remote: (**offer).clone() };
            self.settle(agreed);
        } else {
            *early = Some(Box::new(answer));
        }
        Ok(())
    }

    //= RFC 3261 §14.1
    /// The request that carried the offer failed: the session is what it was before.
    pub fn withdraw(&mut self) {
        self.state = State::Stable;
    }

    fn free(&self) -> Result<(), Violation> {
        match self.state {
            State::Stable => Ok(()),
            State::OfferSent { .. } => Err(Violation::OursPending),
            State::OfferReceived { .. } => Err(Violation::TheirsPending),
        }
    }

    fn settle(&mut self, agreed: Agreed) {
        self.agreed = Some(Box::new(agreed));
        self.state = State::Stable;
    }
}

/// A well-formed offer that we decline, always with 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// No audio stream that is switched on.
    NoAudio,
    /// Audio only over a profile that we do not speak (SAVP, SAVPF, ...).
    Profile,
    /// Audio without a codec that we know, or (for our services) share.
    NoCodec,
}

impl Refusal {
    pub const fn status(self) -> Status {
        Status(488)
    }

    /// RFC 3261 §20.43: warn-code and text for a Warning header.
    pub const fn warning(self) -> (u16, &'static str) {
        match self {
            Refusal::NoAudio => (304, "Media type not available"),
            Refusal::Profile => (302, "Incompatible transport protocol"),
            Refusal::NoCodec => (305, "Incompatible media format"),
        }
    }
}

/// May this first offer be carried at all? For later offers, which may switch everything off,
/// only [`is_relayable`] counts.
pub fn acceptable(offer: &Session) -> Result<(), Refusal> {
    let mut audio = offer.media.iter().filter(|m| m.is_audio() && m.port != 0).peekable();
    if audio.peek().is_none() {
        return Err(Refusal::NoAudio);
    }
    let mut plain = audio.filter(|m| is_relayable(m)).peekable();
    if plain.peek().is_none() {
        return Err(Refusal::Profile);
    }
    let speaks = |m: &Media| m.codecs().iter().any(|(_, c)| c.is_speech());
    if plain.any(speaks) { Ok(()) } else { Err(Refusal::NoCodec) }
}

//= RFC 4585 §4
/// Streams that a plain leg can carry: RTP/AVP, and RTP/AVPF which is answered as such. All
/// others of the same description are refused with port 0.
pub fn is_relayable(media: &Media) -> bool {
    let plain = ["RTP/AVP", "RTP/AVPF"].iter().any(|p| media.proto.eq_ignore_ascii_case(p));
    let kind = ["audio", "video", "text"].iter().any(|k| media.kind.eq_ignore_ascii_case(k));
    plain && kind && media.port != 0
}

/// An answer that does not fit its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mismatch {
    /// Another number of m-lines.
    Count,
    /// The n-th m-line is of another kind.
    Kind(u8),
    /// The n-th m-line accepts what the offer had switched off.
    Revived(u8),
}

//= RFC 3264 §6
/// As many m-lines as the offer, each of the same kind; what the offer refused stays refused.
/// The profile is not compared: many phones answer RTP/AVPF with RTP/AVP.
pub fn check_answer(offer: &Session, answer: &Session) -> Result<(), Mismatch> {
    if offer.media.len() != answer.media.len() {
        return Err(Mismatch::Count);
    }
    for (n, (o, a)) in (0u8..).zip(offer.media.iter().zip(&answer.media)) {
        if !o.kind.eq_ignore_ascii_case(&a.kind) {
            return Err(Mismatch::Kind(n));
        }
        if o.port == 0 && a.port != 0 {
            return Err(Mismatch::Revived(n));
        }
    }
    Ok(())
}
