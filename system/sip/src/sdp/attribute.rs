//! Attributes — RFC 8866 §5.13 (shape), §6 (rtpmap, fmtp, direction, ptime), RFC 3605 (rtcp),
//! RFC 3551 §6 (static payload types), RFC 4733 §2.4 (telephone-event).
//! Owns: the name/value pair and the typed readings of the few that a plain leg needs.
use super::session::{gap, word};
use alloc::string::{String, ToString};
use core::net::IpAddr;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{u8 as u8_, u16 as u16_, u32 as u32_};
use nom::combinator::{all_consuming, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use serde::{Deserialize, Serialize};

/// `a=name` or `a=name:value`, verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    pub value: Option<String>,
}

impl Attribute {
    pub fn flag(name: &str) -> Self {
        Attribute { name: name.to_string(), value: None }
    }

    pub fn with(name: &str, value: impl ToString) -> Self {
        Attribute { name: name.to_string(), value: Some(value.to_string()) }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, value)) => Attribute::with(name, value),
            None => Attribute::flag(text.trim_end()),
        }
    }

    /// RFC 8866 §5.13: names are case-sensitive; phones are not.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("")
    }
}

/// Which way media flows, from the speaker's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub const ALL: [Direction; 4] =
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    pub fn parse(name: &str) -> Option<Direction> {
        Direction::ALL.into_iter().find(|d| name.eq_ignore_ascii_case(d.as_str()))
    }

    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    pub const fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    //= RFC 3264 §6.1
    /// The most that an answer may say to this offer.
    pub const fn mirrored(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }
}

/// What a payload type stands for: `a=rtpmap`, or the table of RFC 3551.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Codec {
    pub name: String,
    pub rate: u32,
    pub channels: u8,
}

impl Codec {
    pub fn is(&self, name: &str, rate: u32) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.rate == rate
    }

    pub fn is_telephone_event(&self) -> bool {
        self.name.eq_ignore_ascii_case("telephone-event")
    }

    /// Comfort noise, tones and redundancy carry no speech by themselves.
    pub fn is_speech(&self) -> bool {
        !["telephone-event", "tone", "CN", "red", "ulpfec"]
            .iter()
            .any(|n| self.name.eq_ignore_ascii_case(n))
    }
}

/// `<payload type> <encoding name>/<clock rate>[/<channels>]`
pub(super) fn rtpmap(value: &str) -> Option<(u8, Codec)> {
    fn grammar(input: &str) -> IResult<&str, (u8, Codec)> {
        let name = take_while1(|c: char| c.is_ascii_graphic() && c != '/');
        let (rest, (pt, _, name, _, rate, channels)) =
            (u8_, gap, name, tag("/"), u32_, opt(preceded(tag("/"), u8_))).parse(input)?;
        let channels = channels.unwrap_or(1);
        Ok((rest, (pt, Codec { name: name.to_string(), rate, channels })))
    }
    whole(grammar, value)
}

/// RFC 3605 §2.1: `a=rtcp:<port> [<nettype> <addrtype> <connection-address>]`; the address may
/// be a name, which is then `None` inside.
pub(super) fn rtcp(value: &str) -> Option<(u16, Option<Option<IpAddr>>)> {
    fn grammar(input: &str) -> IResult<&str, (u16, Option<Option<IpAddr>>)> {
        let address = (gap, word, gap, word, gap, word).map(|f| f.5.parse().ok());
        (u16_, opt(address)).parse(input)
    }
    whole(grammar, value)
}

fn whole<T>(grammar: fn(&str) -> IResult<&str, T>, value: &str) -> Option<T> {
    all_consuming(grammar).parse(value.trim()).ok().map(|(_, value)| value)
}

/// RFC 3551 §6, the payload types that phones still use without a rtpmap.
pub(super) fn static_codec(pt: u8) -> Option<Codec> {
    let (name, rate, channels) = match pt {
        0 => ("PCMU", 8000, 1),
        3 => ("GSM", 8000, 1),
        4 => ("G723", 8000, 1),
        5 => ("DVI4", 8000, 1),
        6 => ("DVI4", 16000, 1),
        7 => ("LPC", 8000, 1),
        8 => ("PCMA", 8000, 1),
        // RFC 3551 §4.5.2: G.722 samples at 16 kHz and says 8000 for ever.
        9 => ("G722", 8000, 1),
        10 => ("L16", 44100, 2),
        11 => ("L16", 44100, 1),
        12 => ("QCELP", 8000, 1),
        13 => ("CN", 8000, 1),
        14 => ("MPA", 90000, 1),
        15 => ("G728", 8000, 1),
        16 => ("DVI4", 11025, 1),
        17 => ("DVI4", 22050, 1),
        18 => ("G729", 8000, 1),
        26 => ("JPEG", 90000, 1),
        31 => ("H261", 90000, 1),
        32 => ("MPV", 90000, 1),
        33 => ("MP2T", 90000, 1),
        34 => ("H263", 90000, 1),
        _ => return None,
    };
    Some(Codec { name: name.to_string(), rate, channels })
}
