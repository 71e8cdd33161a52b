//! One m-line and what belongs to it — RFC 8866 §5.14, RFC 3264 §5.1, RFC 3605.
//! Owns: the typed views that a plain RTP leg needs: where to send, which way, which codecs.
use super::attribute::{self, Attribute, Codec, Direction};
use super::session::{Connection, Line, Malformed, RawLine, Session, connection, gap, word};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::limits::SDP_FORMATS_MAX;
use core::net::{IpAddr, SocketAddr};
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::u16 as u16_;
use nom::combinator::opt;
use nom::multi::many0;
use nom::sequence::preceded;
use nom::{IResult, Parser};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Media {
    /// `audio`, `video`, `text`, `application`, `message`, `image` or what comes.
    pub kind: String,
    /// Zero: refused, or switched off.
    pub port: u16,
    pub port_count: Option<u16>,
    /// `RTP/AVP`, `RTP/AVPF`, `RTP/SAVP`, ..., verbatim.
    pub proto: String,
    /// Payload types for RTP, in the order of preference.
    pub formats: Vec<String>,
    /// `i= k=` and letters that nobody knows.
    pub rest: Vec<Line>,
    /// Several only in layered multicast.
    pub connections: Vec<Connection>,
    pub bandwidth: Vec<String>,
    pub attributes: Vec<Attribute>,
}

impl Media {
    pub(super) fn parse(line: &RawLine<'_>) -> Result<Media, Malformed<'static>> {
        let media = line.read(m_line)?;
        if media.formats.len() > SDP_FORMATS_MAX {
            return Err(Malformed { too_much: true, ..line.fault("fewer formats") });
        }
        Ok(media)
    }

    /// Takes one line after the m-line.
    pub(super) fn line(&mut self, line: &RawLine<'_>) -> Result<(), Malformed<'static>> {
        match line.letter {
            'c' => self.connections.push(line.read(connection)?),
            'b' => self.bandwidth.push(line.value.to_string()),
            'a' => self.attributes.push(Attribute::parse(line.value)),
            'v' | 'o' | 's' => return Err(line.fault("a line of the media section")),
            _ => self.rest.push(line.kept()),
        }
        Ok(())
    }

    pub fn is_audio(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio")
    }

    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.is(name))
    }

    /// RFC 3264 §5.1: what this m-line says, else the session, else both ways.
    pub fn direction(&self, session: &Session) -> Direction {
        let of = |list: &[Attribute]| {
            list.iter().filter(|a| a.value.is_none()).find_map(|a| Direction::parse(&a.name))
        };
        let said = of(&self.attributes).or_else(|| of(&session.attributes));
        let said = said.unwrap_or(Direction::SendRecv);
        //= RFC 3264 §8.4
        // The old way to hold: 0.0.0.0 is an address that nothing may be sent to.
        match self.address(session) {
            Some(ip) if ip.is_unspecified() => Direction::of(said.sends(), false),
            _ => said,
        }
    }

    /// The speaker does not want to hear us now.
    pub fn is_held(&self, session: &Session) -> bool {
        self.port != 0 && !self.direction(session).receives()
    }

    /// `c=` of this m-line, else of the session.
    pub fn connection<'a>(&'a self, session: &'a Session) -> Option<&'a Connection> {
        self.connections.first().or(session.connection.as_ref())
    }

    fn address(&self, session: &Session) -> Option<IpAddr> {
        self.connection(session)?.ip()
    }

    /// Where RTP goes. `None` when refused, held by 0.0.0.0, named by host, or multicast (which
    /// would make us an amplifier): latching on the signalling address must find it then.
    pub fn remote_rtp(&self, session: &Session) -> Option<SocketAddr> {
        let ip = self.address(session)?;
        sendable(ip, self.port)
    }

    /// Where RTCP goes: `a=rtcp` (RFC 3605), else the next port.
    pub fn remote_rtcp(&self, session: &Session) -> Option<SocketAddr> {
        let ip = self.address(session)?;
        if self.port == 0 {
            return None;
        }
        match self.attribute("rtcp").and_then(|a| attribute::rtcp(a.value())) {
            Some((port, None)) => sendable(ip, port),
            Some((port, Some(address))) => sendable(address?, port),
            None => sendable(ip, self.port.checked_add(1)?),
        }
    }

    /// The payload types of RTP; formats of other protocols are none.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|f| f.parse().ok()).filter(|pt| *pt < 128)
    }

    /// The meaning of a payload type: `a=rtpmap`, else the static table.
    pub fn codec(&self, pt: u8) -> Option<Codec> {
        let maps = self.attributes.iter().filter(|a| a.is("rtpmap"));
        let mut maps = maps.filter_map(|a| attribute::rtpmap(a.value()));
        maps.find(|(n, _)| *n == pt).map(|(_, c)| c).or_else(|| attribute::static_codec(pt))
    }

    /// Format parameters of a payload type, without its number.
    pub fn fmtp(&self, pt: u8) -> Option<&str> {
        let lines = self.attributes.iter().filter(|a| a.is("fmtp"));
        let mut lines = lines.filter_map(|a| a.value().trim_start().split_once([' ', '\t']));
        lines.find(|(n, _)| n.parse() == Ok(pt)).map(|(_, rest)| rest.trim())
    }

    /// Milliseconds in a packet that the speaker would like to get.
    pub fn ptime(&self) -> Option<u16> {
        self.attribute("ptime")?.value().trim().parse().ok()
    }

    pub fn maxptime(&self) -> Option<u16> {
        self.attribute("maxptime")?.value().trim().parse().ok()
    }

    /// Every payload type of the m-line that has a meaning, in its order; one pass.
    pub fn codecs(&self) -> Vec<(u8, Codec)> {
        let mut maps = BTreeMap::new();
        for (pt, codec) in self
            .attributes
            .iter()
            .filter_map(|a| if a.is("rtpmap") { attribute::rtpmap(a.value()) } else { None })
        {
            maps.entry(pt).or_insert(codec);
        }
        let of = |pt: u8| Some((pt, maps.remove(&pt).or_else(|| attribute::static_codec(pt))?));
        self.payload_types().filter_map(of).collect()
    }

    /// Payload types of RFC 4733 events with their clock rates, in the order of the m-line.
    pub fn telephone_events(&self) -> impl Iterator<Item = (u8, u32)> {
        let events = self.codecs().into_iter().filter(|(_, c)| c.is_telephone_event());
        events.map(|(pt, c)| (pt, c.rate))
    }

    pub fn telephone_event_pts(&self) -> Vec<u8> {
        self.telephone_events().map(|(pt, _)| pt).collect()
    }
}

fn sendable(ip: IpAddr, port: u16) -> Option<SocketAddr> {
    let ok = port != 0 && !ip.is_unspecified() && !ip.is_multicast();
    ok.then_some(SocketAddr::new(ip, port))
}

/// `m=<media> <port>[/<number of ports>] <proto> <fmt> ...`; a refused line of a sloppy phone has
/// no formats.
fn m_line(input: &str) -> IResult<&str, Media> {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
    let kind = take_while1(name);
    // Protocol names hold no dots or colons, so neither can be an address.
    let proto = take_while1(move |c| c == '/' || name(c));
    let count = opt(preceded(tag("/"), u16_));
    let (rest, (kind, _, port, port_count, _, proto, formats)) =
        (kind, gap, u16_, count, gap, proto, many0(preceded(gap, word))).parse(input)?;
    let media = Media {
        kind: kind.to_string(),
        port,
        port_count,
        proto: proto.to_string(),
        formats: formats.into_iter().map(ToString::to_string).collect(),
        rest: Vec::new(),
        connections: Vec::new(),
        bandwidth: Vec::new(),
        attributes: Vec::new(),
    };
    Ok((rest, media))
}
