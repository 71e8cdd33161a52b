//! SIP, SIPS and other URIs: RFC 3261 §19.1.1, §25.1.
//! Owns: the pieces and their escapes.  Does not know: how a URI is resolved.
//! Grammar is in `uri_shape`, comparison in `uri_compare`.  Missing: the number grammar of tel URIs
//! (RFC 3966).
//!
//! ```text
//!   sip:user:password@host:port;uri-parameters?headers
//!   scheme:opaque                                        any other scheme
//! ```
use super::chars::{self, USER};
use super::params::Params;
use super::rejected::Error;
use super::uri_shape::{Shape, shape};
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
        shape(text.as_bytes()).map(|shape| Uri::of(text, shape))
    }

    /// The pieces of a text by its shape.
    #[inline(always)]
    pub(super) fn of(text: &'a str, shape: Shape) -> Uri<'a> {
        let cut = |from: u16, to: u16| text.get(usize::from(from)..usize::from(to)).unwrap_or("");
        let rest = |from: u16| text.get(usize::from(from)..).unwrap_or("");
        let scheme = cut(0, shape.scheme);
        if shape.host_to == 0 {
            return Uri { text, scheme, opaque: rest(shape.scheme + 1), ..Uri::default() };
        }
        let user = (shape.user != 0).then(|| cut(shape.scheme + 1, shape.user));
        let secret = (shape.password != 0).then(|| cut(shape.user + 1, shape.password));
        Uri {
            text,
            scheme,
            user,
            password: secret,
            host: cut(shape.host, shape.host_to),
            port: shape.port,
            params: Params::new(cut(shape.params, shape.params_to)),
            headers: rest(shape.params_to.saturating_add(1)),
            opaque: "",
        }
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
