//! One SIP message: its bytes and a fixed index, views cut on demand (RFC 3261 §7, §20).
//! Owns: access by name.  Does not know: what the message asks for.
use super::check;
use super::header::HeaderName;
use super::list::Values;
use super::name_addr::NameAddr;
use super::rejected::Rejected;
use super::scan::{self, Index, Span, Spans};
use super::uri::Uri;
use super::via::{self, Via};
use super::{chars, name_addr};
use crate::method::Method;
use crate::status::Status;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use bitspath_core::limits::SIP_MESSAGE_BYTES_MAX;
use bytes::Bytes;
use core::fmt;
use core::hash::{Hash, Hasher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parsed message. Cloning shares the bytes. Equal when the bytes are.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    index: Index,
}

impl Message {
    /// Indexes and judges one datagram or one frame of a stream. Octets after the body that
    /// Content-Length announces are cut off; without one the body is the rest (RFC 3261 §18.3).
    /// Allocates nothing unless it rejects.
    pub fn parse(bytes: Bytes) -> Result<Message, Rejected> {
        let mut bytes = bytes;
        while bytes.starts_with(b"\r\n") {
            //= RFC 3261 §7.5
            bytes = bytes.slice(2..);
        }
        if bytes.len() > SIP_MESSAGE_BYTES_MAX {
            let expected = "at most 65,535 octets";
            let offset = SIP_MESSAGE_BYTES_MAX;
            return Err(Rejected { status: None, offset, expected, partial: None });
        }
        let mut message = Message { bytes, index: Index::default() };
        let Message { bytes, index } = &mut message;
        let verdict = match scan::scan(bytes, index) {
            Ok(head) => check::check(head, index),
            Err(fault) => {
                check::salvage(bytes, index);
                Err(fault)
            }
        };
        match verdict {
            Ok(()) => Ok(message),
            Err(fault) => Err(message.reject(fault)),
        }
    }

    #[cold]
    fn reject(self, fault: scan::Fault) -> Rejected {
        //= RFC 3261 §17.1.1.1
        // Nobody answers a response or an ACK; without a Via there is nowhere to answer to.
        let answerable = self.is_request()
            && self.index.method != Method::Ack
            && !self.top_via().host.is_empty();
        Rejected {
            status: answerable.then_some(fault.status),
            offset: fault.error.offset,
            expected: fault.error.expected,
            partial: Some(Box::new(self)),
        }
    }

    pub fn is_request(&self) -> bool {
        self.index.status == 0
    }

    /// Of a request its own; of a response that of CSeq.
    pub fn method(&self) -> Method {
        self.index.method
    }

    /// The method as written, known or not.
    pub fn method_token(&self) -> &str {
        if self.is_request() {
            return self.text(self.index.word);
        }
        let value = self.header(HeaderName::CSeq).unwrap_or("");
        value.rsplit([' ', '\t', '\r', '\n']).next().unwrap_or("")
    }

    /// The Request-URI; `None` in a response.
    #[inline]
    pub fn uri(&self) -> Option<Uri<'_>> {
        match self.index.uri_shape {
            shape if shape.scheme != 0 => Some(Uri::of(self.uri_text(), shape)),
            _ => Uri::parse(self.uri_text()).ok(),
        }
    }

    /// The Request-URI as written; empty in a response.
    pub fn uri_text(&self) -> &str {
        self.text(self.index.uri)
    }

    pub fn status(&self) -> Option<Status> {
        (!self.is_request()).then_some(Status(self.index.status))
    }

    /// The reason phrase of a response.
    pub fn reason(&self) -> &str {
        if self.is_request() { "" } else { self.text(self.index.word) }
    }

    /// From; all empty when a rejected message has none.
    #[inline]
    pub fn from(&self) -> NameAddr<'_> {
        self.judged(HeaderName::From, &self.index.from)
    }

    #[inline]
    pub fn to(&self) -> NameAddr<'_> {
        self.judged(HeaderName::To, &self.index.to)
    }

    #[inline(always)]
    fn judged(&self, name: HeaderName, shape: &name_addr::Shape) -> NameAddr<'_> {
        if shape.end == 0 {
            return self.address(name);
        }
        NameAddr::of(self.header(name).unwrap_or(""), shape)
    }

    /// The first value of a header of addresses (Refer-To, P-Asserted-Identity, …).
    pub fn address(&self, name: HeaderName) -> NameAddr<'_> {
        let value = self.header(name).unwrap_or("");
        name_addr::read(value, 0).map(|(address, _)| address).unwrap_or_default()
    }

    pub fn from_tag(&self) -> Option<&str> {
        self.from().tag()
    }

    pub fn to_tag(&self) -> Option<&str> {
        self.to().tag()
    }

    pub fn call_id(&self) -> &str {
        self.header(HeaderName::CallId).unwrap_or("")
    }

    pub fn cseq(&self) -> u32 {
        self.index.cseq
    }

    /// The topmost Via. Of a rejected message as much as can be read; empty when it has none.
    #[inline]
    pub fn top_via(&self) -> Via<'_> {
        let value = self.header(HeaderName::Via).unwrap_or("");
        match self.index.via {
            shape if shape.end != 0 => Via::of(value, &shape),
            _ => via::salvage(value).unwrap_or_default(),
        }
    }

    /// Each Via value from the top, as written.
    pub fn vias(&self) -> impl Iterator<Item = &str> {
        self.list(HeaderName::Via)
    }

    /// `None` when absent (RFC 2543 senders).
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(HeaderName::MaxForwards, 255).map(|n| n as u8)
    }

    /// The Expires header; `None` when absent or no number of seconds below 2^32.
    pub fn expires(&self) -> Option<u32> {
        self.number(HeaderName::Expires, u64::from(u32::MAX)).map(|n| n as u32)
    }

    fn number(&self, name: HeaderName, max: u64) -> Option<u64> {
        chars::number(self.header(name)?.as_bytes(), max)
    }

    pub fn contacts(&self) -> Contacts<'_> {
        let Some(span) = self.index.first(HeaderName::Contact) else { return Contacts::None };
        match span.of(&self.bytes) {
            b"*" if !self.index.has_more(HeaderName::Contact) => Contacts::Star,
            _ => Contacts::List(ContactIter { message: self, begun: false, rest: None }),
        }
    }

    /// The first value line of that name, trimmed; folds inside are kept, see [`unfold`].
    #[inline]
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.index.first(name).map(|span| self.text(span))
    }

    pub fn has(&self, name: HeaderName) -> bool {
        self.index.first(name).is_some()
    }

    /// Every value line of that name, from the top.
    pub fn headers(&self, name: HeaderName) -> Headers<'_> {
        Headers { message: self, spans: Spans::new(&self.index, name) }
    }

    /// Every value of that name, over all its lines, split at commas outside quotes and brackets.
    pub fn list(&self, name: HeaderName) -> List<'_> {
        List { lines: self.headers(name), line: Values::new(""), skip_first: false }
    }

    /// The first value line of a header by its text, any case; known names by either form.
    pub fn header_by_name(&self, name: &str) -> Option<&str> {
        match HeaderName::parse(name) {
            HeaderName::Other => {
                self.lines().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            }
            known => self.header(known),
        }
    }

    /// Every header line as name and value, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut at = usize::from(self.index.lines);
        core::iter::from_fn(move || {
            let line = scan::next_line(&self.bytes, at).ok()??;
            at = line.next;
            Some((self.text(line.name_text), self.text(line.value)))
        })
    }

    /// Is `option` in a list of tokens (Require, Supported, Allow, …)? Option tags ignore case.
    pub fn list_has(&self, name: HeaderName, option: &str) -> bool {
        self.list(name).any(|value| value.eq_ignore_ascii_case(option))
    }

    pub fn body(&self) -> &[u8] {
        self.index.body.of(&self.bytes)
    }

    /// The body sharing this message's bytes.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice_ref(self.body())
    }

    pub fn content_type(&self) -> Option<&str> {
        self.header(HeaderName::ContentType)
    }

    /// Is the media type this one, such as `application/sdp`? Parameters do not count.
    pub fn is_content_type(&self, wanted: &str) -> bool {
        let value = self.content_type().unwrap_or("");
        let kind = value.split(';').next().unwrap_or("");
        // White space may stand around the slash.
        let plain = |t: &str| chars::trim(t.split('/').next().unwrap_or("")).len();
        let (main, sub) = kind.split_once('/').unwrap_or((kind, ""));
        let (want_main, want_sub) = wanted.split_once('/').unwrap_or((wanted, ""));
        plain(wanted) > 0
            && chars::trim(main).eq_ignore_ascii_case(want_main)
            && chars::trim(sub).eq_ignore_ascii_case(want_sub)
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[inline]
    fn text(&self, span: Span) -> &str {
        // The scan has found the whole head to be UTF-8; a message rejected before that may not be.
        core::str::from_utf8(span.of(&self.bytes)).unwrap_or("")
    }
}

/// What stands in Contact.
#[derive(Clone, Debug)]
pub enum Contacts<'a> {
    None,
    /// `*`: every binding.
    Star,
    List(ContactIter<'a>),
}

impl<'a> Contacts<'a> {
    /// The first address, where there is one.
    pub fn first(self) -> Option<NameAddr<'a>> {
        match self {
            Contacts::List(mut list) => list.next(),
            Contacts::None | Contacts::Star => None,
        }
    }
}

/// Each Contact address in order.
#[derive(Clone, Debug)]
pub struct ContactIter<'a> {
    message: &'a Message,
    /// The first, which the check has read already, is taken.
    begun: bool,
    rest: Option<List<'a>>,
}

impl<'a> Iterator for ContactIter<'a> {
    type Item = NameAddr<'a>;

    fn next(&mut self) -> Option<NameAddr<'a>> {
        let (message, shape) = (self.message, &self.message.index.contact);
        if shape.end != 0 && !core::mem::replace(&mut self.begun, true) {
            return Some(message.judged(HeaderName::Contact, shape));
        }
        let rest = self.rest.get_or_insert_with(|| {
            let skip_first = shape.end != 0;
            List { skip_first, ..message.list(HeaderName::Contact) }
        });
        rest.find_map(|value| NameAddr::parse(value).ok())
    }
}

/// The value lines of one name.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    message: &'a Message,
    spans: Spans,
}

impl<'a> Iterator for Headers<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let message = self.message;
        self.spans.next(&message.bytes, &message.index).map(|span| message.text(span))
    }
}

/// The comma-separated values of one name over all its lines.
#[derive(Clone, Debug)]
pub struct List<'a> {
    lines: Headers<'a>,
    line: Values<'a>,
    /// The first value was read otherwise.
    skip_first: bool,
}

impl<'a> Iterator for List<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if let Some(value) = self.line.next() {
                if !core::mem::take(&mut self.skip_first) {
                    return Some(value);
                }
                continue;
            }
            self.line = Values::new(self.lines.next()?);
        }
    }
}

/// The value with each fold made one space (RFC 3261 §7.3.1).
pub fn unfold(value: &str) -> Cow<'_, str> {
    if !value.contains('\n') {
        return Cow::Borrowed(value);
    }
    let mut flat = String::with_capacity(value.len());
    for (i, part) in value.split("\r\n").enumerate() {
        if i > 0 {
            flat.push(' ');
        }
        flat.push_str(part.trim_matches([' ', '\t']));
    }
    Cow::Owned(flat)
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Message::parse(Bytes::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// One trace line: `INVITE sip:bob@biloxi.com 314159 INVITE` or `180 Ringing 314159 INVITE`,
/// then Call-ID, tags, branch and the body's length.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            None => write!(f, "{} {}", self.method_token(), self.uri_text())?,
            Some(status) => write!(f, "{status} {}", self.reason())?,
        }
        write!(f, "  cseq {} {}", self.index.cseq, self.method_token())?;
        write!(f, "  call {}", self.call_id())?;
        let tags = (self.from_tag().unwrap_or("-"), self.to_tag().unwrap_or("-"));
        write!(f, "  tags {} {}", tags.0, tags.1)?;
        write!(f, "  branch {}", self.top_via().branch().unwrap_or("-"))?;
        match self.content_type() {
            Some(kind) => write!(f, "  body {} {}", unfold(kind), self.body().len()),
            None => write!(f, "  body {}", self.body().len()),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({self})")
    }
}

#[cfg(test)]
mod tests;
