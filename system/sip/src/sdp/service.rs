//! Sessions that end at ourselves: echo, tone and every later service — RFC 3264 §6.1.
//! Owns: choosing one codec, one telephone-event number and a packet time.
use super::attribute::{Attribute, Codec, Direction};
use super::media::Media;
use super::offer_answer::{Refusal, is_relayable};
use super::own_origin::OwnOrigin;
use super::relayed::{frame, off};
use super::session::Session;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// What the chosen stream of a service carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chosen {
    /// The m-line.
    pub media: u8,
    pub pt: u8,
    pub codec: Codec,
    pub telephone_event: Option<u8>,
    /// Milliseconds in each packet that we send.
    pub ptime: u8,
    /// Which way from our side.
    pub direction: Direction,
}

const PTIME_DEFAULT: u8 = 20;
/// Packet times that our pacing and payload sizes cover.
const PTIMES: [u8; 5] = [10, 20, 30, 40, 60];

/// Our answer to an offer that calls a service: the first audio stream with a codec of ours (by
/// name, at 8000 Hz), in the caller's order of preference; all others refused.
pub fn answer_for_service(
    offer: &Session,
    codecs: &[&str],
    ip: IpAddr,
    port: u16,
    origin: &mut OwnOrigin,
) -> Result<(Session, Chosen), Refusal> {
    super::offer_answer::acceptable(offer)?;
    let chosen = choose(offer, codecs).ok_or(Refusal::NoCodec)?;
    let media = (0u8..)
        .zip(&offer.media)
        .map(|(n, m)| if n == chosen.media { accepted(m, &chosen, port) } else { off(m) });
    let mut answer = frame(origin, ip, media.collect());
    origin.stamp(&mut answer);
    Ok((answer, chosen))
}

//= RFC 3261 §13.2.1
/// Our offer in the 2xx to an INVITE that had none. `codecs` are static payload types.
pub fn offer_for_delayed(ip: IpAddr, port: u16, codecs: &[u8], origin: &mut OwnOrigin) -> Session {
    let known = |pt: &u8| super::attribute::static_codec(*pt).map(|c| (*pt, c));
    let codecs: Vec<(u8, Codec)> = codecs.iter().filter_map(known).collect();
    let mut formats: Vec<_> = codecs.iter().map(|(pt, _)| pt.to_string()).collect();
    formats.push("101".to_string());
    let mut attributes: Vec<_> = codecs.iter().map(|(pt, c)| rtpmap(*pt, c)).collect();
    attributes.push(Attribute::with("rtpmap", "101 telephone-event/8000"));
    attributes.push(Attribute::with("fmtp", "101 0-15"));
    attributes.push(Attribute::with("ptime", PTIME_DEFAULT));
    attributes.push(Attribute::flag(Direction::SendRecv.as_str()));
    let media = Media {
        kind: "audio".to_string(),
        port,
        port_count: None,
        proto: "RTP/AVP".to_string(),
        formats,
        rest: Vec::new(),
        connections: Vec::new(),
        bandwidth: Vec::new(),
        attributes,
    };
    let mut offer = frame(origin, ip, vec![media]);
    origin.stamp(&mut offer);
    offer
}

/// What their answer to our own offer chose; `None` when it refused all streams.
pub fn chosen_by_answer(answer: &Session, codecs: &[&str]) -> Option<Chosen> {
    choose(answer, codecs)
}

fn choose(theirs: &Session, codecs: &[&str]) -> Option<Chosen> {
    (0u8..).zip(&theirs.media).find_map(|(n, m)| {
        if !m.is_audio() || !is_relayable(m) {
            return None;
        }
        let list = m.codecs();
        let ours = |c: &Codec| c.channels == 1 && codecs.iter().any(|name| c.is(name, 8000));
        let (pt, codec) = list.iter().find(|(_, c)| ours(c))?.clone();
        let events = |(_, c): &&(u8, Codec)| c.is_telephone_event() && c.rate == codec.rate;
        let telephone_event = list.iter().find(events).map(|(pt, _)| *pt);
        let direction = m.direction(theirs).mirrored();
        Some(Chosen { media: n, pt, codec, telephone_event, ptime: ptime(m), direction })
    })
}

/// The packet time that they ask for, when we can do it.
fn ptime(media: &Media) -> u8 {
    let asked = media.ptime().and_then(|ms| u8::try_from(ms).ok());
    let most = media.maxptime().unwrap_or(u16::MAX);
    let wanted = asked.filter(|ms| PTIMES.contains(ms)).unwrap_or(PTIME_DEFAULT);
    if u16::from(wanted) <= most { wanted } else { PTIMES[0] }
}

fn accepted(offered: &Media, chosen: &Chosen, port: u16) -> Media {
    let mut out = off(offered);
    out.port = port;
    out.formats = vec![chosen.pt.to_string()];
    out.attributes.push(rtpmap(chosen.pt, &chosen.codec));
    if let Some(pt) = chosen.telephone_event {
        out.formats.push(pt.to_string());
        let rate = chosen.codec.rate;
        out.attributes.push(Attribute::with("rtpmap", format!("{pt} telephone-event/{rate}")));
        out.attributes.push(Attribute::with("fmtp", format!("{pt} 0-15")));
    }
    out.attributes.push(Attribute::with("ptime", chosen.ptime));
    out.attributes.push(Attribute::flag(chosen.direction.as_str()));
    if let (Some(_), Some(rtcp)) = (offered.attribute("rtcp"), port.checked_add(1)) {
        out.attributes.push(Attribute::with("rtcp", rtcp));
    }
    out
}

fn rtpmap(pt: u8, codec: &Codec) -> Attribute {
    Attribute::with("rtpmap", format!("{pt} {}/{}", codec.name, codec.rate))
}
