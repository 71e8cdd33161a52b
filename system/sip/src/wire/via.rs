//! Via: RFC 3261 §20.42, RFC 3581 (rport), RFC 7118 (WS, WSS).
//! Owns: the value's grammar.  Does not know: where a response goes.
use super::chars::{self, TOKEN};
use super::list::Values;
use super::params::{Params, find_param};
use super::rejected::Error;
use super::uri_shape::{port, skip_host};
use core::fmt;
use core::net::IpAddr;

/// One Via value in pieces, as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Via<'a> {
    /// The whole value.
    pub text: &'a str,
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS`, `SCTP` or a stranger; compare without case.
    pub transport: &'a str,
    pub host: &'a str,
    pub port: Option<u16>,
    pub params: Params<'a>,
    branch: &'a str,
}

/// Offsets into the text that a value stands in; `end` is 0 where nothing was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    start: u16,
    transport: u16,
    transport_to: u16,
    host: u16,
    host_to: u16,
    port: Option<u16>,
    params: u16,
    pub end: u16,
    branch: (u16, u16),
}

impl<'a> Via<'a> {
    /// The pieces of a text by its shape.
    #[inline(always)]
    pub(super) fn of(text: &'a str, shape: &Shape) -> Via<'a> {
        let cut = |from: u16, to: u16| text.get(usize::from(from)..usize::from(to)).unwrap_or("");
        Via {
            text: chars::trim(cut(shape.start, shape.end)),
            transport: cut(shape.transport, shape.transport_to),
            host: cut(shape.host, shape.host_to),
            port: shape.port,
            params: Params::new(chars::trim(cut(shape.params, shape.end))),
            branch: cut(shape.branch.0, shape.branch.1),
        }
    }

    /// One value and nothing else.
    pub fn parse(text: &'a str) -> Result<Via<'a>, Error> {
        match read(text, 0)? {
            (via, end) if end == text.len() => Ok(via),
            (_, end) => Err(Error::new(end, "';' or the end of the Via")),
        }
    }

    pub fn branch(&self) -> Option<&'a str> {
        Some(self.branch).filter(|branch| !branch.is_empty())
    }

    /// The address in `received`; IPv6 with or without brackets.
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received").flatten()?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// RFC 3581: `Some(None)` asks for it, `Some(Some(port))` was filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport")?;
        Some(value.and_then(|v| chars::number(v.as_bytes(), 65_535)).map(|n| n as u16))
    }

    pub fn maddr(&self) -> Option<&'a str> {
        self.params.get("maddr").flatten()
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Reads one value from `at`; returns it and where it ends: at a comma, another stray octet or
/// the end of the text, white space passed.
pub(super) fn read(text: &str, at: usize) -> Result<(Via<'_>, usize), Error> {
    let shape = judge(text.as_bytes(), at)?;
    Ok((Via::of(text, &shape), usize::from(shape.end)))
}

/// sent-protocol = name SLASH version SLASH transport, then LWS, host, optional port, parameters.
#[inline]
pub(super) fn judge(text: &[u8], at: usize) -> Result<Shape, Error> {
    let mut shape = sent_by(text, at)?;
    let (end, branch) = find_param(text, usize::from(shape.params), b"branch")?;
    (shape.end, shape.branch) = (end as u16, branch);
    Ok(shape)
}

/// The first value of a line whose parameters may be broken: enough to answer 400 (RFC 4475
/// §3.1.2.1). Parameters that can be read are kept.
#[cold]
pub(super) fn salvage(text: &str) -> Option<Via<'_>> {
    let first = Values::new(text).next()?;
    let shape = sent_by(first.as_bytes(), 0).ok()?;
    let via = Via::of(first, &Shape { end: first.len() as u16, ..shape });
    Some(Via { branch: via.params.get("branch").flatten().unwrap_or(""), ..via })
}

#[inline]
fn sent_by(text: &[u8], at: usize) -> Result<Shape, Error> {
    if text.len() > usize::from(u16::MAX) {
        return Err(Error::new(usize::from(u16::MAX), "at most 65,535 octets"));
    }
    let start = chars::skip_lws(text, at);
    let transport = match text.get(start..start + 8) {
        Some(b"SIP/2.0/") => chars::skip_lws(text, start + 8),
        _ => {
            let version = token_and_slash(text, start, "protocol name and '/'")?;
            token_and_slash(text, version, "protocol version and '/'")?
        }
    };
    let transport_to = chars::skip(text, transport, TOKEN);
    let host = chars::skip_lws(text, transport_to);
    if transport_to == transport || host == transport_to {
        return Err(Error::new(transport_to, "transport and a space"));
    }
    let host_to = skip_host(text, host)?;
    let (port, params) = sent_by_port(text, host_to)?;
    Ok(Shape {
        start: start as u16,
        transport: transport as u16,
        transport_to: transport_to as u16,
        host: host as u16,
        host_to: host_to as u16,
        port,
        params: params as u16,
        end: params as u16,
        branch: (0, 0),
    })
}

#[inline]
fn token_and_slash(text: &[u8], at: usize, expected: &'static str) -> Result<usize, Error> {
    let end = chars::skip(text, at, TOKEN);
    let slash = chars::skip_lws(text, end);
    if end == at || text.get(slash) != Some(&b'/') {
        return Err(Error::new(slash, expected));
    }
    Ok(chars::skip_lws(text, slash + 1))
}

/// An optional port; white space may stand around its colon.
#[inline]
fn sent_by_port(text: &[u8], at: usize) -> Result<(Option<u16>, usize), Error> {
    let colon = chars::skip_lws(text, at);
    if text.get(colon) != Some(&b':') {
        return Ok((None, at));
    }
    match chars::skip_lws(text, colon + 1) {
        digits if digits == colon + 1 => port(text, colon),
        digits => port_digits(text, digits),
    }
}

fn port_digits(text: &[u8], at: usize) -> Result<(Option<u16>, usize), Error> {
    let end = chars::skip(text, at, chars::DIGIT);
    match chars::number(text.get(at..end).unwrap_or(&[]), 65_535) {
        Some(n) => Ok((Some(n as u16), end)),
        None => Err(Error::new(at, "port, 0 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn white_space_may_stand_around_slashes_and_colon() {
        let v = Via::parse("SIP / 2.0 / UDP first.example.com : 4000;ttl=16 ;rport;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1")
            .expect("RFC 3261 §20.42's own example");
        assert_eq!((v.transport, v.host, v.port), ("UDP", "first.example.com", Some(4000)));
        assert_eq!((v.branch(), v.maddr()), (Some("z9hG4bKa7c6a8dlze.1"), Some("224.2.0.1")));
        assert_eq!((v.rport(), v.received()), (Some(None), None));
        let v =
            Via::parse("SIP/2.0/WSS [2001:db8::9]:6050;received=2001:db8::1;rport=77").expect("v6");
        assert_eq!((v.host, v.rport()), ("[2001:db8::9]", Some(Some(77))));
        assert_eq!(v.received().map(|ip| ip.to_string()).as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn broken_values_are_blamed_at_their_place() {
        for (text, offset) in [
            ("", 0),
            ("SIP/2.0", 7),
            ("SIP/2.0/UDP", 11),
            ("SIP/2.0/UDP ", 12),
            ("SIP/2.0/ a", 10),
            ("SIP/2.0/UDP a:", 14),
            ("SIP/2.0/UDP a:b", 14),
            ("SIP/2.0/UDP a b", 14),
            ("SIP/2.0/UDP a;;", 14),
        ] {
            assert_eq!(Via::parse(text).map(|_| ()).map_err(|e| e.offset), Err(offset), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_composed_value_parses_to_its_pieces(
            transport in "(UDP|TCP|TLS|WS|WSS)", host in "[a-z]{1,9}",
            port in proptest::option::of(1u16..), branch in "z9hG4bK[a-zA-Z0-9.]{0,9}",
        ) {
            let colon = port.map(|p| format!(":{p}")).unwrap_or_default();
            let text = format!("SIP/2.0/{transport} {host}{colon};branch={branch}");
            let via = Via::parse(&text).expect("valid");
            prop_assert_eq!((via.transport, via.host), (transport.as_str(), host.as_str()));
            prop_assert_eq!((via.port, via.branch()), (port, Some(branch.as_str())));
            prop_assert_eq!(via.to_string(), text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "(SIP/2.0/UDP )?\\PC{0,40}") {
            if let Ok(via) = Via::parse(&text) {
                let _ = (via.received(), via.rport(), via.branch());
            }
        }
    }
}
