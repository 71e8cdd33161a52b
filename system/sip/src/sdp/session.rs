//! The session description as a value — RFC 8866 §5, §9 (grammar).
//! Owns: line splitting, `v= o= s= c= t=` and the order of the rest. Lenient where phones are
//! sloppy (lone LF, any order of lines before the first `m=`, missing `s=` or `t=`, several
//! spaces), strict where a wrong guess would send media astray. Unknown lines are kept.
//! Does not know: what the attributes mean (`attribute`, `media`).
use super::attribute::Attribute;
use super::media::Media;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::limits::{SDP_LINES_MAX, SDP_MEDIA_MAX};
use core::fmt;
use core::net::IpAddr;
use nom::bytes::complete::{take_till1, take_while1};
use nom::character::complete::u64 as number;
use nom::combinator::all_consuming;
use nom::{IResult, Parser};
use serde::{Deserialize, Serialize};

/// One session description; equal values emit equal octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    pub origin: Origin,
    /// `s=`, verbatim.
    pub name: String,
    /// `i= u= e= p=`, in their order.
    pub notes: Vec<Line>,
    pub connection: Option<Connection>,
    /// `b=` values.
    pub bandwidth: Vec<String>,
    /// `t= r= z=`, in their order; never empty.
    pub timing: Vec<Line>,
    /// `k=` and letters that nobody knows.
    pub rest: Vec<Line>,
    pub attributes: Vec<Attribute>,
    pub media: Vec<Media>,
}

/// A line that is carried but not read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    pub letter: char,
    pub value: String,
}

/// `o=`, RFC 8866 §5.2.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    pub username: String,
    pub session_id: u64,
    pub session_version: u64,
    pub connection: Connection,
}

/// Network type, address type and address: `c=`, and the end of `o=`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connection {
    pub network: String,
    pub family: String,
    /// Verbatim, with the multicast suffix (`/ttl/count`) if there is one.
    pub address: String,
}

impl Connection {
    pub fn of(ip: IpAddr) -> Self {
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let (network, family) = ("IN".to_string(), family.to_string());
        Connection { network, family, address: ip.to_string() }
    }

    /// The address when it is a literal; a host name is nobody's to resolve here.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.split('/').next()?.parse().ok()
    }
}

/// The peer sent garbage, or more than we follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Malformed<'a> {
    /// Octets from the start of the body.
    pub offset: usize,
    pub expected: &'a str,
    /// Well-formed but past a limit of ours: 488, not 400.
    pub too_much: bool,
}

impl fmt::Display for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}, expected {}", self.offset, self.expected)
    }
}

impl Session {
    /// Reads a description; never panics, whatever the octets.
    pub fn parse(bytes: &[u8]) -> Result<Session, Malformed<'static>> {
        // RFC 8866 §4.6: the text is UTF-8. What is not (Latin-1 names) is replaced, because only
        // free text can hold it: every structured field refuses U+FFFD.
        let text = String::from_utf8_lossy(bytes);
        let mut lines = Lines { text: &text, at: 0, count: 0 };
        //= RFC 8866 §5.1
        // v=0 is the first line and the only version there is.
        match lines.next().transpose()? {
            Some(l) if l.letter == 'v' && l.value.trim() == "0" => {}
            _ => return Err(malformed(0, "v=0")),
        }
        let mut draft = Draft::default();
        let mut media: Vec<Media> = Vec::new();
        for line in lines {
            let line = line?;
            match media.last_mut() {
                _ if line.letter == 'm' => {
                    if media.len() >= SDP_MEDIA_MAX {
                        return Err(Malformed { too_much: true, ..line.fault("fewer m-lines") });
                    }
                    media.push(Media::parse(&line)?);
                }
                Some(m) => m.line(&line)?,
                None => draft.line(&line)?,
            }
        }
        draft.finish(media, text.len())
    }
}

/// The lines before the first `m=`, as they come.
#[derive(Default)]
struct Draft {
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Connection>,
    notes: Vec<Line>,
    bandwidth: Vec<String>,
    timing: Vec<Line>,
    rest: Vec<Line>,
    attributes: Vec<Attribute>,
}

impl Draft {
    fn line(&mut self, line: &RawLine<'_>) -> Result<(), Malformed<'static>> {
        match line.letter {
            'v' => return Err(line.fault("one v-line")),
            'o' => once(&mut self.origin, line, "one o-line", line.read(origin)?)?,
            's' => once(&mut self.name, line, "one s-line", line.value.to_string())?,
            'c' => once(&mut self.connection, line, "one c-line", line.read(connection)?)?,
            'i' | 'u' | 'e' | 'p' => self.notes.push(line.kept()),
            'b' => self.bandwidth.push(line.value.to_string()),
            't' | 'r' | 'z' => self.timing.push(line.kept()),
            'a' => self.attributes.push(Attribute::parse(line.value)),
            _ => self.rest.push(line.kept()),
        }
        Ok(())
    }

    fn finish(self, media: Vec<Media>, end: usize) -> Result<Session, Malformed<'static>> {
        let mut timing = self.timing;
        if timing.is_empty() {
            timing.push(Line { letter: 't', value: "0 0".to_string() });
        }
        Ok(Session {
            origin: self.origin.ok_or(malformed(end, "an o-line"))?,
            name: self.name.unwrap_or_else(|| "-".to_string()),
            notes: self.notes,
            connection: self.connection,
            bandwidth: self.bandwidth,
            timing,
            rest: self.rest,
            attributes: self.attributes,
            media,
        })
    }
}

fn once<T>(
    slot: &mut Option<T>,
    line: &RawLine<'_>,
    expected: &'static str,
    value: T,
) -> Result<(), Malformed<'static>> {
    match slot.replace(value) {
        Some(_) => Err(line.fault(expected)),
        None => Ok(()),
    }
}

/// One line of the text and where it stands.
pub(super) struct RawLine<'a> {
    pub letter: char,
    pub value: &'a str,
    /// Of `value`, from the start of the body.
    pub offset: usize,
}

impl<'a> RawLine<'a> {
    pub fn fault(&self, expected: &'static str) -> Malformed<'static> {
        malformed(self.offset, expected)
    }

    pub fn kept(&self) -> Line {
        Line { letter: self.letter, value: self.value.to_string() }
    }

    /// Reads the whole value by a grammar; the fault points at the first octet that does not fit.
    pub fn read<T>(
        &self,
        grammar: fn(&'a str) -> IResult<&'a str, T>,
    ) -> Result<T, Malformed<'static>> {
        match all_consuming(grammar).parse(self.value.trim_end()) {
            Ok((_, value)) => Ok(value),
            Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
                let read = self.value.trim_end().len() - e.input.len();
                Err(malformed(self.offset + read, "the next field of this line"))
            }
            Err(nom::Err::Incomplete(_)) => Err(self.fault("a whole line")),
        }
    }
}

fn malformed(offset: usize, expected: &'static str) -> Malformed<'static> {
    Malformed { offset, expected, too_much: false }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
    count: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<RawLine<'a>, Malformed<'static>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|r| !r.is_empty())?;
            let (line, used) = match rest.split_once('\n') {
                Some((line, _)) => (line, line.len() + 1),
                None => (rest, rest.len()),
            };
            let start = self.at;
            self.at += used;
            //= RFC 8866 §5
            // Lines end with CRLF; a lone LF is accepted, a lone CR or NUL inside never.
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            self.count += 1;
            if self.count > SDP_LINES_MAX {
                return Some(Err(Malformed { too_much: true, ..malformed(start, "fewer lines") }));
            }
            return Some(split(line, start));
        }
    }
}

fn split(line: &str, start: usize) -> Result<RawLine<'_>, Malformed<'static>> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic);
    let letter = letter.ok_or(malformed(start, "a type letter"))?;
    let value = chars.as_str().strip_prefix('=').ok_or(malformed(start + 1, "="))?;
    if let Some(at) = value.find(['\r', '\0']) {
        return Err(malformed(start + 2 + at, "a line without CR or NUL"));
    }
    Ok(RawLine { letter, value, offset: start + 2 })
}

/// A non-empty run of visible octets; U+FFFD and other non-ASCII is no token.
pub(super) fn word(input: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_graphic()).parse(input)
}

/// At least one space between fields; phones send more.
pub(super) fn gap(input: &str) -> IResult<&str, &str> {
    take_while1(|c| c == ' ' || c == '\t').parse(input)
}

/// `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`
fn origin(input: &str) -> IResult<&str, Origin> {
    let username = take_till1(|c| c == ' ' || c == '\t');
    let (rest, (username, _, session_id, _, session_version, _, connection)) =
        (username, gap, number, gap, number, gap, connection).parse(input)?;
    let username = username.to_string();
    Ok((rest, Origin { username, session_id, session_version, connection }))
}

/// `c=<nettype> <addrtype> <connection-address>`
pub(super) fn connection(input: &str) -> IResult<&str, Connection> {
    let (rest, (network, _, family, _, address)) = (word, gap, word, gap, word).parse(input)?;
    let own = |s: &str| s.to_string();
    let (network, family, address) = (own(network), own(family), own(address));
    Ok((rest, Connection { network, family, address }))
}
