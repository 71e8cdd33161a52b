//! Level two: is every header that we act on what its grammar asks for? (RFC 3261 §20, RFC 4475)
//! Owns: the verdict of a message whose lines stand.  Does not know: policy; an unknown method,
//! extension or body type is somebody else's refusal.
//! Missing: headers that nobody here reads are not judged (RFC 4475 §3.1.2.4 would allow either).
use super::chars::{self, DIGIT, TOKEN, WORD};
use super::header::HeaderName;
use super::name_addr;
use super::rejected::Error;
use super::scan::{Fault, Index, Span, Spans, bit};
use super::uri_shape::{Shape, shape};
use super::via;
use crate::method::Method;
use crate::status::Status;
use bitspath_core::limits::SIP_LIST_MAX;

/// RFC 3261 §8.1.2: a sequence number is below 2^31.
const CSEQ_MAX: u64 = (1 << 31) - 1;

/// Headers that may stand once only (RFC 3261 §7.3.1, table of §20 and the extensions').
const SINGLE: u128 = bit(HeaderName::From)
    | bit(HeaderName::To)
    | bit(HeaderName::CallId)
    | bit(HeaderName::CSeq)
    | bit(HeaderName::MaxForwards)
    | bit(HeaderName::ContentLength)
    | bit(HeaderName::ContentType)
    | bit(HeaderName::ContentDisposition)
    | bit(HeaderName::Expires)
    | bit(HeaderName::MinExpires)
    | bit(HeaderName::Date)
    | bit(HeaderName::Timestamp)
    | bit(HeaderName::Event)
    | bit(HeaderName::SubscriptionState)
    | bit(HeaderName::SessionExpires)
    | bit(HeaderName::MinSe)
    | bit(HeaderName::ReferTo)
    | bit(HeaderName::Replaces)
    | bit(HeaderName::RAck)
    | bit(HeaderName::RSeq);

/// A head whose lines stand.
#[derive(Clone, Copy)]
struct Head<'a> {
    text: &'a [u8],
    index: &'a Index,
}

impl<'a> Head<'a> {
    #[inline]
    fn cut(&self, span: Span) -> &'a [u8] {
        span.of(self.text)
    }

    /// The first value of that name, and where it begins.
    #[inline]
    fn value(&self, name: HeaderName) -> Option<(&'a [u8], usize)> {
        let span = self.index.first(name)?;
        Some((self.cut(span), usize::from(span.from)))
    }

    #[inline]
    fn required(&self, name: HeaderName) -> Result<(&'a [u8], usize), Error> {
        self.value(name).ok_or(Error::new(usize::from(self.index.lines), missing(name)))
    }
}

/// Judges the message and completes its index: CSeq, the method of a response, the body.
pub(super) fn check(text: &[u8], index: &mut Index) -> Result<(), Fault> {
    (index.cseq, index.method) = check_cseq(Head { text, index })?;
    check_headers(text, index).map_err(Fault::bad)?;
    index.uri_shape = check_request_uri(Head { text, index })?;
    Ok(())
}

/// What is found on the way is kept in the index.
fn check_headers(text: &[u8], index: &mut Index) -> Result<(), Error> {
    if index.more_of(SINGLE) {
        return Err(first_duplicate(Head { text, index }));
    }
    Head { text, index }.required(HeaderName::Via)?;
    let via = |text: &[u8], at| via::judge(text, at).map(|shape| (shape, shape.end));
    index.via = each(Head { text, index }, HeaderName::Via, via)?;
    index.from = check_address(Head { text, index }, HeaderName::From)?;
    index.to = check_address(Head { text, index }, HeaderName::To)?;
    let head = Head { text, index };
    check_call_id(head)?;
    check_max_forwards(head)?;
    check_expires(head)?;
    each(head, HeaderName::Route, address)?;
    each(head, HeaderName::RecordRoute, address)?;
    let lone = !head.index.has_more(HeaderName::Contact);
    let star = lone && head.value(HeaderName::Contact).is_some_and(|(text, _)| text == b"*");
    let body = cut_body(head)?;
    if !star {
        index.contact = each(head, HeaderName::Contact, address)?;
    }
    index.body = body;
    Ok(())
}

fn address(text: &[u8], at: usize) -> Result<(name_addr::Shape, u16), Error> {
    name_addr::judge(text, at).map(|shape| (shape, shape.end))
}

/// Completes the index of a message that is rejected anyway, as far as it goes.
#[cold]
pub(super) fn salvage(bytes: &[u8], index: &mut Index) {
    let end = usize::from(index.body.from).min(bytes.len());
    let text = bytes.get(..end).unwrap_or(&[]);
    if let Ok((cseq, _)) = check_cseq(Head { text, index }) {
        index.cseq = cseq;
    }
}

const fn missing(name: HeaderName) -> &'static str {
    match name {
        HeaderName::Via => "a Via header",
        HeaderName::From => "a From header",
        HeaderName::To => "a To header",
        HeaderName::CallId => "a Call-ID header",
        HeaderName::CSeq => "a CSeq header",
        _ => "a mandatory header",
    }
}

/// `1*DIGIT LWS Method`; a request's method must be the same.
fn check_cseq(head: Head<'_>) -> Result<(u32, Method), Fault> {
    let (text, base) = head.required(HeaderName::CSeq).map_err(Fault::bad)?;
    let bad = |at, expected| Fault::bad(Error::new(base + at, expected));
    let digits = chars::skip(text, 0, DIGIT);
    let number = chars::number(text.get(..digits).unwrap_or(&[]), CSEQ_MAX);
    let number = number.ok_or(bad(0, "sequence number below 2^31"))?;
    let word = chars::skip_lws(text, digits);
    let end = chars::skip(text, word, TOKEN);
    if word == digits || end == word || end != text.len() {
        return Err(bad(word, "space and method in CSeq"));
    }
    let token = text.get(word..).unwrap_or(&[]);
    if head.index.status != 0 {
        let token = core::str::from_utf8(token).unwrap_or("");
        return Ok((number as u32, Method::parse(token)));
    }
    //= RFC 3261 §8.1.1.5
    if token != head.cut(head.index.word) {
        let fault = bad(word, "the method of the request line in CSeq");
        //= RFC 4475 §3.1.2.18
        // Of a method that nobody knows, that is the better thing to say.
        let unknown = head.index.method == Method::Other;
        return Err(if unknown { fault.with(Status::NOT_IMPLEMENTED) } else { fault });
    }
    Ok((number as u32, head.index.method))
}

#[cold]
fn first_duplicate(head: Head<'_>) -> Error {
    let twice = |n: &&HeaderName| SINGLE & bit(**n) != 0 && head.index.has_more(**n);
    let name = HeaderName::KNOWN.iter().find(twice).copied().unwrap_or(HeaderName::Other);
    let mut spans = Spans::new(head.index, name);
    let bytes = head.text;
    let _ = spans.next(bytes, head.index);
    let second = spans.next(bytes, head.index).unwrap_or_default();
    Error::new(usize::from(second.from), "this header once only")
}

/// Runs `read` over every comma-separated value of every line of that name; returns the first.
#[inline]
fn each<T: Copy + Default>(
    head: Head<'_>,
    name: HeaderName,
    read: impl Fn(&[u8], usize) -> Result<(T, u16), Error>,
) -> Result<T, Error> {
    let mut spans = Spans::new(head.index, name);
    let (mut first, mut budget) = (None, SIP_LIST_MAX);
    let bytes = head.text;
    while let Some(span) = spans.next(bytes, head.index) {
        let (line, base) = (span.of(bytes), usize::from(span.from));
        let mut at = 0;
        loop {
            if budget == 0 {
                return Err(Error::new(base + at, "at most 70 values"));
            }
            budget -= 1;
            let (value, end) = read(line, at).map_err(|e| e.shifted(base))?;
            first = first.or(Some(value));
            at = usize::from(end) + 1;
            match line.get(usize::from(end)) {
                None => break,
                Some(b',') => {}
                Some(_) => return Err(Error::new(base + at - 1, "',', ';' or the end")),
            }
        }
    }
    Ok(first.unwrap_or_default())
}

/// From and To: one address.
fn check_address(head: Head<'_>, name: HeaderName) -> Result<name_addr::Shape, Error> {
    let (text, base) = head.required(name)?;
    let shape = name_addr::judge(text, 0).map_err(|e| e.shifted(base))?;
    match usize::from(shape.end) {
        end if end == text.len() => Ok(shape),
        end => Err(Error::new(base + end, "';' or the end of the value")),
    }
}

/// `word [ "@" word ]`.
fn check_call_id(head: Head<'_>) -> Result<(), Error> {
    let (text, base) = head.required(HeaderName::CallId)?;
    let mut end = chars::skip_run(text, 0, WORD);
    if end > 0 && text.get(end) == Some(&b'@') {
        let host = end + 1;
        end = chars::skip_run(text, host, WORD);
        if end == host {
            return Err(Error::new(base + end, "word after '@' in Call-ID"));
        }
    }
    if end == 0 || end != text.len() {
        return Err(Error::new(base + end, "word in Call-ID"));
    }
    Ok(())
}

fn check_max_forwards(head: Head<'_>) -> Result<(), Error> {
    match head.value(HeaderName::MaxForwards) {
        Some((text, base)) if chars::number(text, 255).is_none() => {
            Err(Error::new(base, "number up to 255"))
        }
        _ => Ok(()),
    }
}

/// Digits; a number beyond 2^32-1 is as good as none (RFC 4475 §3.1.2.4).
fn check_expires(head: Head<'_>) -> Result<(), Error> {
    match head.value(HeaderName::Expires) {
        Some((text, base)) if chars::skip(text, 0, DIGIT) != text.len() || text.is_empty() => {
            Err(Error::new(base, "seconds"))
        }
        _ => Ok(()),
    }
}

/// The body as Content-Length has it.
fn cut_body(head: Head<'_>) -> Result<Span, Error> {
    let body = head.index.body;
    let Some((text, base)) = head.value(HeaderName::ContentLength) else { return Ok(body) };
    let announced = chars::number(text, u64::from(u32::MAX));
    let announced = announced.ok_or(Error::new(base, "number of octets"))? as usize;
    let from = usize::from(body.from);
    //= RFC 3261 §18.3
    // More than announced is cut off; less is an error.
    if usize::from(body.to) - from < announced {
        return Err(Error::new(base, "as many octets of body as Content-Length says"));
    }
    Ok(Span::new(from, from + announced))
}

/// Last, so that 416 is said of requests that are otherwise sound.
fn check_request_uri(head: Head<'_>) -> Result<Shape, Fault> {
    if head.index.status != 0 {
        return Ok(Shape::default());
    }
    let (text, base) = (head.cut(head.index.uri), usize::from(head.index.uri.from));
    let shape = shape(text).map_err(|e| Fault::bad(e.shifted(base)))?;
    if shape.host_to == 0 {
        let tel = text.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"tel:"));
        //= RFC 3261 §8.2.2.1
        let fault = Fault::bad(Error::new(base, "a sip, sips or tel URI"));
        return if tel { Ok(shape) } else { Err(fault.with(Status::UNSUPPORTED_URI_SCHEME)) };
    }
    if usize::from(shape.params_to) != text.len() {
        //= RFC 3261 §19.1.1
        // Table 1: no headers in a Request-URI.
        return Err(Fault::bad(Error::new(base, "a Request-URI without headers")));
    }
    Ok(shape)
}
