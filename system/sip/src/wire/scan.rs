//! Level one: the datagram's lines, found once and in place (RFC 3261 §7).
//! Owns: start line, header names, folding, the end of the head, the index of first occurrences.
//! Does not know: what a value means; `check` judges those.
//!
//! ```text
//!   start-line CRLF *( name HCOLON value [ CRLF WSP value ]* CRLF ) CRLF body
//!                            └── span of the first of each known name; a bit when there are more
//! ```
use super::chars::{self, DIGIT, LWS, TOKEN};
use super::header::{COUNT, HeaderName, known_name};
use super::rejected::Error;
use super::{name_addr, uri_shape, via};
use crate::method::Method;
use crate::status::Status;
use bitspath_core::limits::SIP_HEADERS_MAX;
use memchr::memchr;

/// Where a value stands. Messages are at most 65,535 octets, so 16 bits reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub from: u16,
    pub to: u16,
}

impl Span {
    #[inline(always)]
    pub fn new(from: usize, to: usize) -> Span {
        Span { from: from as u16, to: to as u16 }
    }
    #[inline(always)]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.from)..usize::from(self.to)).unwrap_or(&[])
    }
}

/// The fixed index of one message. A default index is that of an empty message.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub method: Method,
    /// The method's token in a request, the reason phrase in a response.
    pub word: Span,
    /// The Request-URI; empty in a response.
    pub uri: Span,
    /// 0 in a request.
    pub status: u16,
    pub cseq: u32,
    /// First line after the start line.
    pub lines: u16,
    pub body: Span,
    /// What the check has found, so that views need not look again; empty before it.
    pub uri_shape: uri_shape::Shape,
    pub from: name_addr::Shape,
    pub to: name_addr::Shape,
    pub contact: name_addr::Shape,
    pub via: via::Shape,
    /// The value of the first header of each name; `from` is 0 where there is none.
    first: [Span; COUNT],
    /// A bit per name that occurs more than once.
    more: u128,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            method: Method::Other,
            word: Span::default(),
            uri: Span::default(),
            status: 0,
            cseq: 0,
            lines: 0,
            body: Span::default(),
            uri_shape: uri_shape::Shape::default(),
            from: name_addr::Shape::default(),
            to: name_addr::Shape::default(),
            contact: name_addr::Shape::default(),
            via: via::Shape::default(),
            first: [Span::default(); COUNT],
            more: 0,
        }
    }
}

const _: () = assert!(COUNT <= 128);

impl Index {
    #[inline(always)]
    pub fn first(&self, name: HeaderName) -> Option<Span> {
        self.first.get(name as usize).copied().filter(|span| span.from != 0)
    }

    #[inline(always)]
    pub fn has_more(&self, name: HeaderName) -> bool {
        self.more & bit(name) != 0
    }

    /// Is any name of the set there more than once?
    #[inline(always)]
    pub fn more_of(&self, set: u128) -> bool {
        self.more & set != 0
    }

    #[inline(always)]
    fn add(&mut self, line: &Line) {
        if let Some(first) = self.first.get_mut(line.name as usize) {
            if first.from == 0 {
                *first = line.value;
            } else {
                self.more |= bit(line.name);
            }
        }
    }
}

#[inline(always)]
pub(super) const fn bit(name: HeaderName) -> u128 {
    1 << name as u8
}

/// A start line's fault decides the answer; 505 comes before any other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub status: Status,
    pub error: Error,
}

impl Fault {
    pub const fn bad(error: Error) -> Fault {
        Fault { status: Status::BAD_REQUEST, error }
    }
    pub const fn with(self, status: Status) -> Fault {
        Fault { status, error: self.error }
    }
}

/// Indexes as much as can be indexed. The head, which is UTF-8, or the first fault.
pub(super) fn scan<'a>(bytes: &'a [u8], index: &mut Index) -> Result<&'a [u8], Fault> {
    let Some(end) = memchr(b'\n', bytes) else {
        return Err(Fault::bad(Error::new(bytes.len(), "CRLF after the start line")));
    };
    index.lines = (end + 1) as u16;
    let start = match bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")) {
        Some(line) => start_line(line, index),
        None => Err(Fault::bad(Error::new(end, "CR before LF"))),
    };
    let head = header_lines(bytes, end + 1, index);
    start.and_then(|()| head.map_err(Fault::bad))
}

/// Indexes the header lines from `at` to the empty line; what follows is the body.
fn header_lines<'a>(bytes: &'a [u8], mut at: usize, index: &mut Index) -> Result<&'a [u8], Error> {
    // The lines are counted with their folds, to tell stray control octets from line ends.
    let mut breaks = 1;
    for _ in 0..=SIP_HEADERS_MAX {
        match line_at(bytes, at)? {
            Some(line) => {
                index.add(&line);
                at = line.next;
                breaks += line.breaks;
            }
            None => {
                index.body = Span::new(at + 2, bytes.len());
                return check_octets(bytes.get(..at).unwrap_or(&[]), breaks);
            }
        }
    }
    Err(Error::new(at, "at most 128 header lines"))
}

/// The values of one name from the top, as spans of `bytes`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    name: HeaderName,
    next: Option<Span>,
    more: bool,
    /// Where the next line begins; 0 before the walk has begun.
    at: usize,
}

impl Spans {
    pub fn new(index: &Index, name: HeaderName) -> Spans {
        Spans { name, next: index.first(name), more: index.has_more(name), at: 0 }
    }

    #[inline]
    pub fn next(&mut self, bytes: &[u8], index: &Index) -> Option<Span> {
        let span = self.next.take()?;
        if self.more {
            self.next = self.following(bytes, index, span);
        }
        Some(span)
    }

    /// The next line of that name after the value at `last`.
    fn following(&mut self, bytes: &[u8], index: &Index, last: Span) -> Option<Span> {
        if self.at == 0 {
            self.at = usize::from(index.lines);
            while self.at <= usize::from(last.to) {
                self.at = next_line(bytes, self.at).ok()??.next;
            }
        }
        while let Ok(Some(line)) = next_line(bytes, self.at) {
            self.at = line.next;
            if line.name == self.name {
                return Some(line.value);
            }
        }
        None
    }
}

/// One header line with its folds.
pub(super) struct Line {
    pub name: HeaderName,
    pub name_text: Span,
    /// Trimmed; folds inside are kept.
    pub value: Span,
    /// Where the next line begins.
    pub next: usize,
    breaks: usize,
}

/// The header line that begins at `at`; `None` is the empty line that ends the head.
pub(super) fn next_line(bytes: &[u8], at: usize) -> Result<Option<Line>, Error> {
    line_at(bytes, at)
}

#[inline(always)]
fn line_at(bytes: &[u8], at: usize) -> Result<Option<Line>, Error> {
    let rest = bytes.get(at..).unwrap_or(&[]);
    let (name, name_end, colon) = match rest.first_chunk().and_then(known_name) {
        Some((name, end)) => (name, at + end, at + end),
        None => match slow_name(bytes, at)? {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    let (mut next, mut breaks) = (colon + 1, 0);
    let line_feed = loop {
        let rest = bytes.get(next..).unwrap_or(&[]);
        let Some(line_feed) = memchr(b'\n', rest).map(|i| next + i) else {
            return Err(Error::new(bytes.len(), "CRLF after the header"));
        };
        breaks += 1;
        next = line_feed + 1;
        if bytes.get(line_feed - 1) != Some(&b'\r') {
            return Err(Error::new(line_feed, "CR before LF"));
        }
        if !matches!(bytes.get(next), Some(b' ' | b'\t')) {
            break line_feed;
        }
    };
    let value = trimmed(bytes, colon + 1, line_feed - 1);
    Ok(Some(Line { name, name_text: Span::new(at, name_end), value, next, breaks }))
}

#[inline(always)]
fn trimmed(bytes: &[u8], mut from: usize, mut to: usize) -> Span {
    let blank = |at: usize| bytes.get(at).is_some_and(|&b| chars::is(b, LWS));
    while from < to && blank(from) {
        from += 1;
    }
    while from < to && blank(to - 1) {
        to -= 1;
    }
    Span::new(from, to)
}

/// Name, its end and its colon, letter by letter; `None` at the empty line.
fn slow_name(bytes: &[u8], at: usize) -> Result<Option<(HeaderName, usize, usize)>, Error> {
    let name_end = chars::skip(bytes, at, TOKEN);
    if name_end == at {
        return match bytes.get(at..at + 2) {
            Some(b"\r\n") => Ok(None),
            _ => Err(Error::new(at, "header name or the empty line")),
        };
    }
    let mut colon = name_end;
    while matches!(bytes.get(colon), Some(b' ' | b'\t')) {
        colon += 1;
    }
    if bytes.get(colon) != Some(&b':') {
        return Err(Error::new(colon, "':' after the header name"));
    }
    let name = HeaderName::from_bytes(bytes.get(at..name_end).unwrap_or(&[]));
    Ok(Some((name, name_end, colon)))
}

/// The head must be UTF-8, and control octets stand only in line ends, HT and quoted pairs.
#[inline]
fn check_octets(head: &[u8], breaks: usize) -> Result<&[u8], Error> {
    // A multiple of the lanes, so that only the last chunk has a tail; and a count that fits.
    let odd: usize = head.chunks(192).map(|c| usize::from(count_odd(c))).sum();
    if odd != 2 * breaks {
        check_each_octet(head)?;
    }
    Ok(head)
}

/// Control octets and those beyond ASCII, at most 255 octets at a time, so that the compiler may
/// count in byte lanes: one more makes them all the least of the signed numbers.
#[inline(always)]
fn count_odd(chunk: &[u8]) -> u8 {
    chunk.iter().fold(0u8, |n, &b| n.wrapping_add(u8::from((b.wrapping_add(1) as i8) <= 0x20)))
}

/// More than plain ASCII in plain lines.
fn check_each_octet(head: &[u8]) -> Result<(), Error> {
    if let Err(e) = core::str::from_utf8(head) {
        return Err(Error::new(e.valid_up_to(), "UTF-8"));
    }
    let mut before = 0u8;
    for (at, &b) in head.iter().enumerate() {
        let allowed = match b {
            b'\r' => head.get(at + 1) == Some(&b'\n'),
            b'\n' => before == b'\r',
            0..0x20 | 0x7f => b == b'\t' || before == b'\\',
            _ => true,
        };
        if !allowed {
            return Err(Error::new(at, "no control octet outside a quoted pair"));
        }
        before = b;
    }
    Ok(())
}

fn start_line(line: &[u8], index: &mut Index) -> Result<(), Fault> {
    match line.get(..4) {
        Some(sip) if sip.eq_ignore_ascii_case(b"SIP/") => status_line(line, index),
        _ => request_line(line, index),
    }
}

/// Method SP Request-URI SP SIP-Version, one space each.
fn request_line(line: &[u8], index: &mut Index) -> Result<(), Fault> {
    let bad = |at, expected| Fault::bad(Error::new(at, expected));
    let method = chars::skip(line, 0, TOKEN);
    index.word = Span::new(0, method);
    let word = line.get(..method).and_then(|m| core::str::from_utf8(m).ok()).unwrap_or("");
    index.method = Method::parse(word);
    if method == 0 || line.get(method) != Some(&b' ') {
        return Err(bad(method, "method and one space"));
    }
    let uri = method + 1;
    let rest = line.get(uri..).unwrap_or(&[]);
    let Some(space) = memchr(b' ', rest).map(|i| uri + i) else {
        return Err(bad(line.len(), "space and SIP version"));
    };
    index.uri = Span::new(uri, space);
    let version = line.get(space + 1..).unwrap_or(&[]);
    if space == uri {
        return Err(bad(uri, "Request-URI"));
    }
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let status = if is_version(version) {
        //= RFC 3261 §21.5.6
        Status::VERSION_NOT_SUPPORTED
    } else {
        Status::BAD_REQUEST
    };
    Err(bad(space + 1, "SIP/2.0 and nothing after it").with(status))
}

/// `SIP/` digits `.` digits.
fn is_version(text: &[u8]) -> bool {
    let Some((name, number)) = text.split_first_chunk::<4>() else { return false };
    let major = chars::skip(number, 0, DIGIT);
    let minor = chars::skip(number, major + 1, DIGIT);
    name.eq_ignore_ascii_case(b"SIP/")
        && major > 0
        && number.get(major) == Some(&b'.')
        && minor > major + 1
        && minor == number.len()
}

/// SIP-Version SP 3DIGIT SP Reason-Phrase; an empty phrase may lack its space (RFC 4475 §3.1.1.13).
fn status_line(line: &[u8], index: &mut Index) -> Result<(), Fault> {
    let bad = |at, expected| Fault::bad(Error::new(at, expected));
    // Set before anything is judged: a broken response must not be taken for a request.
    index.status = 999;
    if !line.get(..8).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        return Err(bad(4, "SIP/2.0 and one space"));
    }
    let code = line.get(8..11).and_then(|digits| chars::number(digits, 699));
    match (code, line.get(11)) {
        (Some(code), Some(b' ') | None) if code >= 100 => index.status = code as u16,
        _ => return Err(bad(8, "status code, 100 to 699, and one space")),
    }
    index.word = Span::new(line.len().min(12), line.len());
    Ok(())
}
