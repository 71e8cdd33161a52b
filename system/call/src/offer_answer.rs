//! Offer and answer across the call — RFC 3264 with the media anchored at ourselves.
//! Owns: reading a body, choosing the stream that is carried, saying one side's session on the
//! other side's leg. Does not know: whose turn it is (the INVITE of the leg does).
//! Missing: more than one carried stream per call; all others are refused with port 0.
use crate::leg::Leg;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bitspath_media::{PortNo, StreamCfg};
use bitspath_sip::Status;
use bitspath_sip::sdp::{self, Session, is_relayable};
use bitspath_sip::wire::{Body, HeaderName, Message, OutResponse};

pub const SDP: &str = "application/sdp";

/// Why a body cannot be used, as the answer to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not SDP at all.
    Type,
    Malformed,
    NotAcceptable,
}

impl Unusable {
    pub fn response(self) -> OutResponse {
        match self {
            Unusable::Type => {
                let mut response = OutResponse::new(Status::UNSUPPORTED_MEDIA_TYPE);
                response.extra.push((HeaderName::Accept, SDP.to_string()));
                response
            }
            Unusable::Malformed => OutResponse::new(Status::BAD_REQUEST),
            Unusable::NotAcceptable => OutResponse::new(Status::NOT_ACCEPTABLE_HERE),
        }
    }
}

/// The session in a message; `None` when it has no body.
pub fn session(msg: &Message) -> Result<Option<Session>, Unusable> {
    if msg.body().is_empty() {
        return Ok(None);
    }
    if !msg.is_content_type(SDP) {
        return Err(Unusable::Type);
    }
    match Session::parse(msg.body()) {
        Ok(session) => Ok(Some(session)),
        Err(e) if e.too_much => Err(Unusable::NotAcceptable),
        Err(_) => Err(Unusable::Malformed),
    }
}

/// The offer of a request that may have one, with something in it that we can carry.
pub fn offer(msg: &Message) -> Result<Option<Session>, Unusable> {
    let offer = session(msg)?;
    if offer.as_ref().is_some_and(|o| sdp::acceptable(o).is_err()) {
        return Err(Unusable::NotAcceptable);
    }
    Ok(offer)
}

/// The stream that the call carries: the first audio line of plain RTP.
pub fn line(session: &Session) -> usize {
    session.media.iter().position(|m| m.is_audio() && is_relayable(m)).unwrap_or(usize::MAX)
}

/// What the peer of `leg` said about the carried stream.
pub fn stream_cfg(leg: &Leg, session: &Session, line: usize) -> StreamCfg {
    let media = session.media.get(line).filter(|m| m.port != 0);
    let direction = media.map(|m| m.direction(session));
    StreamCfg {
        local: leg.here.media,
        remote: media.and_then(|m| m.remote_rtp(session)),
        rtcp: media.and_then(|m| m.remote_rtcp(session)),
        signalling: leg.flow.peer.ip(),
        send: direction.is_some_and(|d| d.receives()),
        receive: direction.is_some_and(|d| d.sends()),
    }
}

/// One side's offer as our offer on `leg`.
pub fn relay_offer(leg: &mut Leg, from: &Session, line: usize, port: Option<PortNo>) -> Body {
    let ports = ports(from, line, port);
    body(&sdp::relayed(from, &mut leg.origin, leg.here.media, &ports))
}

/// The other side's answer as our answer to the `offer` that came on `leg`.
pub fn relay_answer(
    leg: &mut Leg,
    offer: &Session,
    from: &Session,
    line: usize,
    port: Option<PortNo>,
) -> Body {
    let ports = ports(offer, line, port);
    body(&sdp::relayed_answer(offer, from, &mut leg.origin, leg.here.media, &ports))
}

/// An answer that refuses every stream of `offer`, for an ACK that must have one.
pub fn refuse_all(leg: &mut Leg, offer: &Session) -> Body {
    body(&sdp::relayed_answer(offer, offer, &mut leg.origin, leg.here.media, &[]))
}

pub fn body(session: &Session) -> Body {
    Body { content_type: SDP.to_string(), bytes: session.emit() }
}

fn ports(session: &Session, line: usize, port: Option<PortNo>) -> Vec<Option<u16>> {
    let mut ports = vec![None; session.media.len()];
    if let Some(slot) = ports.get_mut(line) {
        *slot = port.map(|p| p.udp(false));
    }
    ports
}
