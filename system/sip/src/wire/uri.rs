//! SIP, SIPS and other URIs: RFC 3261 §19.1.1, §25.1.
//! Owns: the grammar with its escapes.  Does not know: how a URI is resolved.
//! Comparison is in `uri_compare`.  Missing: the number grammar of tel URIs (RFC 3966).
//!
//! ```text
//!   sip:user:password@host:port;uri-parameters?headers
//!   scheme:opaque                                        any other scheme
//! ```
use super::chars::{self, ALPHA, DIGIT, HEX, HOST, PASSWORD, URI_HEADER, URIC, USER};
use super::params::{Params, skip_uri_params};
use super::rejected::Error;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A URI in pieces, each as written. Of a scheme other than sip and sips only `scheme` and
/// `opaque` are set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uri<'a> {
    /// The whole text.
    pub text: &'a str,
    pub scheme: &'a str,
    /// Escapes kept; parameters inside the user part (RFC 4475 §3.1.1.13) are part of it.
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    /// Name, IPv4 address or IPv6 address with its brackets.
    pub host: &'a str,
    pub port: Option<u16>,
    pub params: Params<'a>,
    /// What follows `?`.
    pub headers: &'a str,
    /// What follows the scheme, of a URI that is not sip or sips.
    pub opaque: &'a str,
}

impl<'a> Uri<'a> {
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Error> {
        let bytes = text.as_bytes();
        let colon = scheme_end(bytes)?;
        let scheme = cut(text, 0, colon);
        if !is_sip_scheme(scheme) {
            return parse_other(text, scheme, colon + 1);
        }
        let (user, password, host_at) = userinfo(text, colon + 1)?;
        let host_end = skip_host(bytes, host_at)?;
        let (port, at) = port(bytes, host_end)?;
        let params_end = skip_uri_params(bytes, at)?;
        let headers = uri_headers(text, params_end)?;
        Ok(Uri {
            text,
            scheme,
            user,
            password,
            host: cut(text, host_at, host_end),
            port,
            params: Params::new(cut(text, at, params_end)),
            headers,
            opaque: "",
        })
    }

    /// sip or sips: the other pieces are set.
    pub fn is_sip(&self) -> bool {
        is_sip_scheme(self.scheme)
    }

    pub fn is_sips(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("sips")
    }

    /// A URI parameter by name, any case; `Some(None)` is a bare flag.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    pub fn transport(&self) -> Option<&'a str> {
        self.param("transport").flatten()
    }

    /// The user with its escapes resolved; octets that are no UTF-8 become U+FFFD.
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user.map(unescape)
    }

    /// RFC 3261 §19.1.4.
    pub fn equals(&self, other: &Uri<'_>) -> bool {
        super::uri_compare::equal(self, other)
    }

    /// Names and values of the headers part, escapes kept.
    pub fn header_pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.headers.split('&').filter(|p| !p.is_empty());
        pairs.map(|p| p.split_once('=').unwrap_or((p, "")))
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn is_sip_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
}

fn cut(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or("")
}

/// The colon after `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`.
#[inline]
pub(super) fn scheme_end(text: &[u8]) -> Result<usize, Error> {
    let tail = |b: u8| chars::is(b, ALPHA | DIGIT) || matches!(b, b'+' | b'-' | b'.');
    let end = text.iter().position(|&b| !tail(b)).unwrap_or(text.len());
    if !text.first().is_some_and(|&b| chars::is(b, ALPHA)) {
        return Err(Error::new(0, "URI scheme"));
    }
    match text.get(end) {
        Some(b':') => Ok(end),
        _ => Err(Error::new(end, "':' after the URI scheme")),
    }
}

fn parse_other<'a>(text: &'a str, scheme: &'a str, at: usize) -> Result<Uri<'a>, Error> {
    let end = chars::skip_escaped(text.as_bytes(), at, URIC)
        .ok_or(Error::new(at, "two hex digits after '%'"))?;
    if end == at || end != text.len() {
        return Err(Error::new(end, "characters of an absolute URI"));
    }
    Ok(Uri { text, scheme, opaque: cut(text, at, end), ..Uri::default() })
}

type UserInfo<'a> = (Option<&'a str>, Option<&'a str>, usize);

/// User, password and where the host begins. Without an `@` there is neither.
#[inline]
fn userinfo(text: &str, start: usize) -> Result<UserInfo<'_>, Error> {
    const ESCAPE: &str = "two hex digits after '%'";
    let bytes = text.as_bytes();
    let rest = bytes.get(start..).unwrap_or(&[]);
    // '@' may not stand unescaped anywhere else in a SIP URI.
    let Some(sign) = rest.iter().position(|&b| b == b'@').map(|i| start + i) else {
        return Ok((None, None, start));
    };
    let user_end = chars::skip_escaped(bytes, start, USER).ok_or(Error::new(start, ESCAPE))?;
    if user_end == start {
        return Err(Error::new(start, "user before '@'"));
    }
    if user_end == sign {
        return Ok((Some(cut(text, start, sign)), None, sign + 1));
    }
    if bytes.get(user_end) != Some(&b':') {
        return Err(Error::new(user_end, "character of a URI user"));
    }
    let secret = user_end + 1;
    let end = chars::skip_escaped(bytes, secret, PASSWORD).ok_or(Error::new(secret, ESCAPE))?;
    if end != sign {
        return Err(Error::new(end, "character of a URI password"));
    }
    Ok((Some(cut(text, start, user_end)), Some(cut(text, secret, end)), sign + 1))
}

/// After a host: name, IPv4 address or bracketed IPv6 address.
#[inline]
pub(super) fn skip_host(text: &[u8], at: usize) -> Result<usize, Error> {
    if text.get(at) == Some(&b'[') {
        return skip_ipv6(text, at);
    }
    let end = chars::skip(text, at, HOST);
    let host = text.get(at..end).unwrap_or(&[]);
    let (Some(first), Some(last)) = (host.first(), host.last()) else {
        return Err(Error::new(at, "host"));
    };
    if matches!(first, b'.' | b'-') || *last == b'-' || host.windows(2).any(|w| w == b"..") {
        return Err(Error::new(at, "host labels that are not empty"));
    }
    // toplabel begins with a letter; a last label of digits must belong to an IPv4 address.
    if last.is_ascii_digit() {
        let top = host.iter().rposition(|&b| b == b'.').map_or(0, |i| i + 1);
        let digits = host.get(top..).is_some_and(|label| label.iter().all(u8::is_ascii_digit));
        if digits && !is_ipv4(host) {
            return Err(Error::new(at, "IPv4 address"));
        }
    }
    Ok(end)
}

/// Four numbers of one to three digits, each below 256.
#[inline]
fn is_ipv4(host: &[u8]) -> bool {
    let (mut value, mut digits, mut dots) = (0u32, 0u32, 0u32);
    for &b in host {
        match b {
            b'.' if digits > 0 => (value, digits, dots) = (0, 0, dots + 1),
            b'0'..=b'9' if digits < 3 => {
                (value, digits) = (value * 10 + u32::from(b - b'0'), digits + 1)
            }
            _ => return false,
        }
        if value > 255 {
            return false;
        }
    }
    dots == 3 && digits > 0
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

/// The headers part, checked to the end of the text.
fn uri_headers(text: &str, at: usize) -> Result<&str, Error> {
    const ESCAPE: &str = "two hex digits after '%'";
    let bytes = text.as_bytes();
    if at == text.len() {
        return Ok("");
    }
    if bytes.get(at) != Some(&b'?') {
        return Err(Error::new(at, "end of the URI, ';' or '?'"));
    }
    let mut pair = at;
    while pair < text.len() {
        let name = pair + 1;
        let equals =
            chars::skip_escaped(bytes, name, URI_HEADER).ok_or(Error::new(name, ESCAPE))?;
        if equals == name || bytes.get(equals) != Some(&b'=') {
            return Err(Error::new(equals, "URI header name and '='"));
        }
        let value = equals + 1;
        pair = chars::skip_escaped(bytes, value, URI_HEADER).ok_or(Error::new(value, ESCAPE))?;
        if !matches!(bytes.get(pair), None | Some(b'&')) {
            return Err(Error::new(pair, "'&' or the end of the URI"));
        }
    }
    Ok(cut(text, at + 1, text.len()))
}

/// Resolves `%` escapes; a broken escape stays as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        plain.push(*first);
        if let (b'%', Some(octet)) = (first, rest.first_chunk().copied().and_then(octet)) {
            plain.pop();
            plain.push(octet);
            bytes = rest.get(2..).unwrap_or(&[]);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// Two hex digits as the octet they stand for.
pub(super) fn octet(hex: [u8; 2]) -> Option<u8> {
    let [high, low] = hex.map(|b| (b as char).to_digit(16));
    Some((high? * 16 + low?) as u8)
}

/// Escapes what may not stand in the user part of a SIP URI.
pub fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for b in user.bytes() {
        if chars::is(b, USER) {
            escaped.push(b as char);
        } else {
            let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
            escaped.push('%');
            escaped.extend([digit(b >> 4), digit(b & 15)].map(|c| c.to_ascii_uppercase()));
        }
    }
    escaped
}

/// The host of a URI or Via as an address, brackets taken off.
pub fn host_ip(host: &str) -> Option<core::net::IpAddr> {
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(Into::into),
        None => host.parse::<Ipv4Addr>().ok().map(Into::into),
    }
}

#[cfg(test)]
mod tests;
