//! Level two: is every header that we act on what its grammar asks for? (RFC 3261 §20, RFC 4475)
//! Owns: the verdict of a message whose lines stand.  Does not know: policy; an unknown method,
//! extension or body type is somebody else's refusal.
//! Missing: headers that nobody here reads are not judged (RFC 4475 §3.1.2.4 would allow either).
use super::chars::{self, DIGIT, LWS, TOKEN, WORD};
use super::header::HeaderName;
use super::message::Message;
use super::name_addr;
use super::rejected::Error;
use super::scan::{Fault, Span, bit};
use super::uri;
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

/// Judges the message and completes its index (method of a response, CSeq, body).
pub(super) fn check(message: &mut Message) -> Result<(), Fault> {
    let (cseq, method) = check_cseq(message)?;
    message.index_mut().cseq = cseq;
    if !message.is_request() {
        message.index_mut().method = method;
    }
    if message.index().more_of(SINGLE) {
        return Err(Fault::bad(first_duplicate(message)));
    }
    check_vias(message).map_err(Fault::bad)?;
    check_address(message, HeaderName::From).map_err(Fault::bad)?;
    check_address(message, HeaderName::To).map_err(Fault::bad)?;
    check_call_id(message).map_err(Fault::bad)?;
    check_addresses(message, HeaderName::Contact).map_err(Fault::bad)?;
    check_addresses(message, HeaderName::Route).map_err(Fault::bad)?;
    check_addresses(message, HeaderName::RecordRoute).map_err(Fault::bad)?;
    check_number(message, HeaderName::MaxForwards, 255).map_err(Fault::bad)?;
    check_expires(message).map_err(Fault::bad)?;
    cut_body(message).map_err(Fault::bad)?;
    check_request_uri(message)
}

/// Completes the index of a message that is rejected anyway, as far as it goes.
pub(super) fn salvage(message: &mut Message) {
    if let Ok((cseq, _)) = check_cseq(message) {
        message.index_mut().cseq = cseq;
    }
}

fn value(message: &Message, name: HeaderName) -> Option<(&str, usize)> {
    let span = message.index().first(name)?;
    Some((message.text(span), usize::from(span.from)))
}

fn required(message: &Message, name: HeaderName) -> Result<(&str, usize), Error> {
    value(message, name).ok_or(Error::new(usize::from(message.index().lines), missing(name)))
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
fn check_cseq(message: &Message) -> Result<(u32, Method), Fault> {
    let (text, base) = required(message, HeaderName::CSeq).map_err(Fault::bad)?;
    let bad = |at, expected| Fault::bad(Error::new(base + at, expected));
    let bytes = text.as_bytes();
    let digits = chars::skip(bytes, 0, DIGIT);
    let number = chars::number(bytes.get(..digits).unwrap_or(&[]), CSEQ_MAX);
    let number = number.ok_or(bad(0, "sequence number below 2^31"))?;
    let word = chars::skip(bytes, digits, LWS);
    let end = chars::skip(bytes, word, TOKEN);
    if word == digits || end == word || end != bytes.len() {
        return Err(bad(word, "space and method in CSeq"));
    }
    let token = text.get(word..).unwrap_or("");
    //= RFC 3261 §8.1.1.5
    if message.is_request() && token != message.method_token() {
        let fault = bad(word, "the method of the request line in CSeq");
        //= RFC 4475 §3.1.2.18
        // Of a method that nobody knows, that is the better thing to say.
        let unknown = message.method() == Method::Other;
        return Err(if unknown { fault.with(Status::NOT_IMPLEMENTED) } else { fault });
    }
    Ok((number as u32, Method::parse(token)))
}

#[cold]
fn first_duplicate(message: &Message) -> Error {
    let index = message.index();
    let twice = |n: &&HeaderName| SINGLE & bit(**n) != 0 && index.has_more(**n);
    let name = HeaderName::KNOWN.iter().find(twice).copied().unwrap_or(HeaderName::Other);
    let second = message.headers(name).nth(1).unwrap_or("");
    let offset = (second.as_ptr() as usize).saturating_sub(message.bytes().as_ptr() as usize);
    Error::new(offset.min(message.bytes().len()), "this header once only")
}

/// Every Via value, all lines.
fn check_vias(message: &Message) -> Result<(), Error> {
    required(message, HeaderName::Via)?;
    each(message, HeaderName::Via, |text, at| via::read(text, at).map(|(_, end)| end))
}

/// Runs `read` over every comma-separated value of every line of that name.
#[inline]
fn each(
    message: &Message,
    name: HeaderName,
    read: impl Fn(&str, usize) -> Result<usize, Error>,
) -> Result<(), Error> {
    let Some(first) = message.index().first(name) else { return Ok(()) };
    let mut budget = SIP_LIST_MAX;
    if !message.index().has_more(name) {
        return each_of_line(message.text(first), usize::from(first.from), &mut budget, &read);
    }
    for text in message.headers(name) {
        let base = (text.as_ptr() as usize).saturating_sub(message.bytes().as_ptr() as usize);
        each_of_line(text, base, &mut budget, &read)?;
    }
    Ok(())
}

#[inline]
fn each_of_line(
    text: &str,
    base: usize,
    budget: &mut usize,
    read: impl Fn(&str, usize) -> Result<usize, Error>,
) -> Result<(), Error> {
    let mut at = 0;
    loop {
        if *budget == 0 {
            return Err(Error::new(base + at, "at most 70 values"));
        }
        *budget -= 1;
        at = read(text, at).map_err(|e| e.shifted(base))?;
        match text.as_bytes().get(at) {
            None => return Ok(()),
            Some(b',') => at += 1,
            Some(_) => return Err(Error::new(base + at, "',', ';' or the end of the value")),
        }
    }
}

/// From and To: one address.
fn check_address(message: &Message, name: HeaderName) -> Result<(), Error> {
    let (text, base) = required(message, name)?;
    let end = read_address(text, 0).map_err(|e| e.shifted(base))?;
    if end != text.len() {
        return Err(Error::new(base + end, "';' or the end of the value"));
    }
    Ok(())
}

#[inline]
fn read_address(text: &str, at: usize) -> Result<usize, Error> {
    let (address, end) = name_addr::read(text, at)?;
    let begin = address.uri_text.as_ptr() as usize - text.as_ptr() as usize;
    name_addr::check_uri(&address).map_err(|e| e.shifted(begin))?;
    Ok(end)
}

/// Contact, Route, Record-Route: addresses, or the lone `*` of Contact.
fn check_addresses(message: &Message, name: HeaderName) -> Result<(), Error> {
    if name == HeaderName::Contact
        && value(message, name).is_some_and(|(text, _)| text == "*")
        && !message.index().has_more(name)
    {
        return Ok(());
    }
    each(message, name, read_address)
}

/// `word [ "@" word ]`.
fn check_call_id(message: &Message) -> Result<(), Error> {
    let (text, base) = required(message, HeaderName::CallId)?;
    let bytes = text.as_bytes();
    let mut end = chars::skip(bytes, 0, WORD);
    if end > 0 && bytes.get(end) == Some(&b'@') {
        let host = end + 1;
        end = chars::skip(bytes, host, WORD);
        if end == host {
            return Err(Error::new(base + end, "word after '@' in Call-ID"));
        }
    }
    if end == 0 || end != bytes.len() {
        return Err(Error::new(base + end, "word in Call-ID"));
    }
    Ok(())
}

fn check_number(message: &Message, name: HeaderName, max: u64) -> Result<(), Error> {
    match value(message, name) {
        Some((text, base)) if chars::number(text.as_bytes(), max).is_none() => {
            Err(Error::new(base, "number within its range"))
        }
        _ => Ok(()),
    }
}

/// Digits; a number beyond 2^32-1 is as good as none (RFC 4475 §3.1.2.4).
fn check_expires(message: &Message) -> Result<(), Error> {
    match value(message, HeaderName::Expires) {
        Some((text, base)) if !chars::all(text, DIGIT) => Err(Error::new(base, "seconds")),
        _ => Ok(()),
    }
}

/// Content-Length against what came.
fn cut_body(message: &mut Message) -> Result<(), Error> {
    let body = message.index().body;
    let Some((text, base)) = value(message, HeaderName::ContentLength) else { return Ok(()) };
    let announced = chars::number(text.as_bytes(), u64::from(u32::MAX));
    let announced = announced.ok_or(Error::new(base, "number of octets"))? as usize;
    let from = usize::from(body.from);
    //= RFC 3261 §18.3
    // More than announced is cut off; less is an error.
    if usize::from(body.to) - from < announced {
        return Err(Error::new(base, "as many octets of body as Content-Length says"));
    }
    message.index_mut().body = Span::new(from, from + announced);
    Ok(())
}

/// Last, so that 416 is said of requests that are otherwise sound.
fn check_request_uri(message: &Message) -> Result<(), Fault> {
    if !message.is_request() {
        return Ok(());
    }
    let (text, base) = (message.uri_text(), usize::from(message.index().uri.from));
    let uri = uri::Uri::parse(text).map_err(|e| Fault::bad(e.shifted(base)))?;
    if !uri.headers.is_empty() {
        //= RFC 3261 §19.1.1
        // Table 1: no headers in a Request-URI.
        return Err(Fault::bad(Error::new(base, "a Request-URI without headers")));
    }
    if !uri.is_sip() && !uri.scheme.eq_ignore_ascii_case("tel") {
        //= RFC 3261 §8.2.2.1
        let fault = Fault::bad(Error::new(base, "a sip, sips or tel URI"));
        return Err(fault.with(Status::UNSUPPORTED_URI_SCHEME));
    }
    Ok(())
}
