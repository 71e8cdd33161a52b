//! The grammar of a URI, as offsets into its text: RFC 3261 §25.1.
//! Owns: where each piece begins and ends.  Does not know: the text afterwards; `uri` cuts views.
//!
//! ```text
//!   sip : user : password @ host : port ; params ? headers
//!       ^scheme  ^user      ^     ^host_to  ^       ^params_to
//! ```
use super::chars::{self, ALPHA, DIGIT, HEX, HOST, LWS, PASSWORD, URI_HEADER, URIC, USER};
use super::params::skip_uri_params;
use super::rejected::Error;
use core::net::Ipv6Addr;

/// Offsets into the text of one URI. `user` and `password` are ends, 0 where there is none;
/// `host_to` is 0 in a URI that is not sip or sips.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub scheme: u16,
    pub user: u16,
    pub password: u16,
    pub host: u16,
    pub host_to: u16,
    pub port: Option<u16>,
    pub params: u16,
    pub params_to: u16,
}

const ESCAPE: &str = "two hex digits after '%'";

/// Judges a whole text as a URI.
#[inline]
pub(super) fn shape(text: &[u8]) -> Result<Shape, Error> {
    match prefix(text)? {
        (shape, end) if end == text.len() => Ok(shape),
        (shape, end) if shape.host_to == 0 => Err(Error::new(end, "characters of an absolute URI")),
        (_, end) => Err(Error::new(end, "end of the URI, ';' or '?'")),
    }
}

/// The URI that `text` begins with, and where it ends.
#[inline(always)]
pub(super) fn prefix(text: &[u8]) -> Result<(Shape, usize), Error> {
    if text.len() > usize::from(u16::MAX) {
        return Err(Error::new(usize::from(u16::MAX), "at most 65,535 octets"));
    }
    let colon = match text {
        [b'S' | b's', b'I' | b'i', b'P' | b'p', b':', ..] => 3,
        [b'S' | b's', b'I' | b'i', b'P' | b'p', b'S' | b's', b':', ..] => 4,
        _ => return other(text),
    };
    let (user, password, host) = userinfo(text, colon + 1)?;
    let host_to = skip_host(text, host)?;
    let (port, params) = port(text, host_to)?;
    let params_to = skip_uri_params(text, params)?;
    let end = match text.get(params_to) {
        Some(b'?') => skip_headers(text, params_to)?,
        _ => params_to,
    };
    let shape = Shape {
        scheme: colon as u16,
        user: user as u16,
        password: password as u16,
        host: host as u16,
        host_to: host_to as u16,
        port,
        params: params as u16,
        params_to: params_to as u16,
    };
    Ok((shape, end))
}

/// Any other scheme: `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":"` and uric.
#[cold]
fn other(text: &[u8]) -> Result<(Shape, usize), Error> {
    let tail = |b: u8| chars::is(b, ALPHA | DIGIT) || matches!(b, b'+' | b'-' | b'.');
    let colon = text.iter().position(|&b| !tail(b)).unwrap_or(text.len());
    if !text.first().is_some_and(|&b| chars::is(b, ALPHA)) {
        return Err(Error::new(0, "URI scheme"));
    }
    if text.get(colon) != Some(&b':') {
        return Err(Error::new(colon, "':' after the URI scheme"));
    }
    let at = colon + 1;
    let end = chars::skip_escaped(text, at, URIC).ok_or(Error::new(at, ESCAPE))?;
    if end == at {
        return Err(Error::new(end, "characters of an absolute URI"));
    }
    Ok((Shape { scheme: colon as u16, ..Shape::default() }, end))
}

/// The ends of user and password (0: none), and where the host begins.
#[inline(always)]
fn userinfo(text: &[u8], start: usize) -> Result<(usize, usize, usize), Error> {
    let user = chars::skip_escaped(text, start, USER);
    match user.and_then(|end| text.get(end).map(|b| (end, *b))) {
        Some((end, b'@')) if end > start => Ok((end, 0, end + 1)),
        _ => userinfo_or_host(text, start, user),
    }
}

/// No plain `user@`: a password, no user at all, or a fault.
#[cold]
fn userinfo_or_host(
    text: &[u8],
    start: usize,
    user: Option<usize>,
) -> Result<(usize, usize, usize), Error> {
    let rest = text.get(start..).unwrap_or(&[]);
    // '@' may not stand unescaped anywhere else in a SIP URI; brackets and blanks are none of it.
    let stop = |b: u8| matches!(b, b'@' | b'<' | b'>' | b'"') || chars::is(b, LWS);
    let sign = match rest.iter().position(|&b| stop(b)).map(|i| start + i) {
        Some(sign) if text.get(sign) == Some(&b'@') => sign,
        _ => return Ok((0, 0, start)),
    };
    let user = user.ok_or(Error::new(start, ESCAPE))?;
    if user == start {
        return Err(Error::new(start, "user before '@'"));
    }
    if text.get(user) != Some(&b':') {
        return Err(Error::new(user, "character of a URI user"));
    }
    let secret = user + 1;
    let end = chars::skip_escaped(text, secret, PASSWORD).ok_or(Error::new(secret, ESCAPE))?;
    if end != sign {
        return Err(Error::new(end, "character of a URI password"));
    }
    Ok((user, end, sign + 1))
}

/// After a host: name, IPv4 address or bracketed IPv6 address.
#[inline]
pub(super) fn skip_host(text: &[u8], at: usize) -> Result<usize, Error> {
    if text.get(at) == Some(&b'[') {
        return skip_ipv6(text, at);
    }
    let rest = text.get(at..).unwrap_or(&[]);
    let mut label = 0;
    let end = loop {
        let here = rest.get(label..).unwrap_or(&[]);
        let length = here.iter().position(|&b| !chars::is(b, HOST)).unwrap_or(here.len());
        match here.get(length) {
            Some(b'.') if length > 0 => label += length + 1,
            Some(b'.') => return Err(Error::new(at + label, "host label")),
            _ => break label + length,
        }
    };
    let host = rest.get(..end).unwrap_or(&[]);
    if matches!(host, [] | [b'-', ..] | [.., b'-']) {
        return Err(Error::new(at, "host"));
    }
    // toplabel begins with a letter; a last label of digits must belong to an IPv4 address.
    let top = host.get(label..).unwrap_or(&[]);
    if top.first().is_some_and(u8::is_ascii_digit)
        && !is_ipv4(host)
        && top.iter().all(u8::is_ascii_digit)
    {
        return Err(Error::new(at, "IPv4 address"));
    }
    Ok(at + end)
}

/// Four numbers of one to three digits, each below 256.
fn is_ipv4(host: &[u8]) -> bool {
    let (mut value, mut digits, mut dots) = (0u32, 0u32, 0u32);
    for &b in host {
        let digit = b.wrapping_sub(b'0');
        if digit <= 9 {
            // What wraps has too many digits.
            value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
            digits = digits.wrapping_add(1);
        } else if b == b'.' && value < 256 && matches!(digits, 1..=3) {
            (value, digits, dots) = (0, 0, dots.wrapping_add(1));
        } else {
            return false;
        }
    }
    dots == 3 && value < 256 && matches!(digits, 1..=3)
}

fn skip_ipv6(text: &[u8], at: usize) -> Result<usize, Error> {
    let inner = |&b: &u8| chars::is(b, HEX) || b == b':' || b == b'.';
    let start = at + 1;
    let rest = text.get(start..).unwrap_or(&[]);
    let end = start + rest.iter().position(|b| !inner(b)).unwrap_or(rest.len());
    let address = text.get(start..end).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("");
    if text.get(end) != Some(&b']') || address.parse::<Ipv6Addr>().is_err() {
        return Err(Error::new(at, "IPv6 address in brackets"));
    }
    Ok(end + 1)
}

/// An optional `:port` at `at`, and where it ends.
#[inline]
pub(super) fn port(text: &[u8], at: usize) -> Result<(Option<u16>, usize), Error> {
    if text.get(at) != Some(&b':') {
        return Ok((None, at));
    }
    let end = chars::skip(text, at + 1, DIGIT);
    let digits = text.get(at + 1..end).unwrap_or(&[]);
    match chars::number(digits, u64::from(u16::MAX)) {
        Some(port) => Ok((Some(port as u16), end)),
        None => Err(Error::new(at + 1, "port, 0 to 65535")),
    }
}

/// After the headers part that begins with the `?` at `at`.
#[cold]
fn skip_headers(text: &[u8], at: usize) -> Result<usize, Error> {
    let mut pair = at;
    loop {
        let name = pair + 1;
        let equals = chars::skip_escaped(text, name, URI_HEADER).ok_or(Error::new(name, ESCAPE))?;
        if equals == name || text.get(equals) != Some(&b'=') {
            return Err(Error::new(equals, "URI header name and '='"));
        }
        let value = equals + 1;
        pair = chars::skip_escaped(text, value, URI_HEADER).ok_or(Error::new(value, ESCAPE))?;
        if text.get(pair) != Some(&b'&') {
            return Ok(pair);
        }
    }
}
