//! `"Display" <uri>;params` and bare `uri;params`: RFC 3261 §20.10, §25.1 name-addr and addr-spec.
//! Owns: where the URI ends and header parameters begin.  Does not know: which header it stands in.
use super::chars::{self, DISPLAY, LWS};
use super::params::{self, Params, find_param};
use super::rejected::Error;
use super::uri::Uri;
use super::uri_shape;
use alloc::borrow::Cow;
use core::fmt;

/// One value of From, To, Contact, Route and their kind, in pieces as written.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameAddr<'a> {
    /// The whole value.
    pub text: &'a str,
    /// As written, quotes kept; see [`NameAddr::display_name`].
    pub display: &'a str,
    /// What stands in the angle brackets, or the bare URI.
    pub uri_text: &'a str,
    /// The header parameters, after `>` or after the bare URI.
    pub params: Params<'a>,
    /// Of the URI, where it has been judged already.
    uri: Option<uri_shape::Shape>,
    tag: &'a str,
}

/// Offsets into the text that a value stands in; `end` is 0 where nothing was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    start: u16,
    display_to: u16,
    uri: u16,
    uri_to: u16,
    params: u16,
    pub end: u16,
    tag: (u16, u16),
    uri_shape: uri_shape::Shape,
}

impl<'a> NameAddr<'a> {
    /// One value and nothing else. The URI's own grammar is checked by [`NameAddr::uri`].
    pub fn parse(text: &'a str) -> Result<NameAddr<'a>, Error> {
        match read(text, 0)? {
            (value, end) if end == text.len() => Ok(value),
            (_, end) => Err(Error::new(end, "';' or the end of the value")),
        }
    }

    /// The pieces of a text by its shape.
    #[inline(always)]
    pub(super) fn of(text: &'a str, shape: &Shape) -> NameAddr<'a> {
        let cut = |from: u16, to: u16| text.get(usize::from(from)..usize::from(to)).unwrap_or("");
        NameAddr {
            text: chars::trim(cut(shape.start, shape.end)),
            display: cut(shape.start, shape.display_to),
            uri_text: cut(shape.uri, shape.uri_to),
            params: Params::new(chars::trim(cut(shape.params, shape.end))),
            uri: (shape.uri_shape.scheme != 0).then_some(shape.uri_shape),
            tag: cut(shape.tag.0, shape.tag.1),
        }
    }

    #[inline]
    pub fn uri(&self) -> Result<Uri<'a>, Error> {
        match self.uri {
            Some(shape) => Ok(Uri::of(self.uri_text, shape)),
            None => Uri::parse(self.uri_text),
        }
    }

    /// The display name without quotes and escapes; `None` when there is none.
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        match params::unquote(self.display) {
            name if name.is_empty() => None,
            name => Some(name),
        }
    }

    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    pub fn tag(&self) -> Option<&'a str> {
        Some(self.tag).filter(|tag| !tag.is_empty())
    }

    /// Preference in thousandths, RFC 3261 §20.10; `None` when absent or malformed.
    pub fn q(&self) -> Option<u16> {
        qvalue(self.param("q")??)
    }

    /// The `expires` parameter; `None` when absent or no number of seconds below 2^32.
    pub fn expires(&self) -> Option<u32> {
        chars::number(self.param("expires")??.as_bytes(), u64::from(u32::MAX)).map(|n| n as u32)
    }
}

impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// `0`, `0.5`, `1.000`: at most three decimals, at most 1.
pub fn qvalue(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || whole.len() != 1 {
        return None;
    }
    let thousandths = match decimals {
        "" => 0,
        d => chars::number(d.as_bytes(), 999)? * 10u64.pow(3 - d.len() as u32),
    };
    let q = chars::number(whole.as_bytes(), 1)? * 1000 + thousandths;
    (q <= 1000).then_some(q as u16)
}

/// Equal when written the same.
impl PartialEq for NameAddr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NameAddr<'_> {}

/// Reads one value from `at`; returns it and where it ends: at a comma, another stray octet or
/// the end of the text, white space passed.
pub(super) fn read(text: &str, at: usize) -> Result<(NameAddr<'_>, usize), Error> {
    let shape = shape(text.as_bytes(), at)?;
    Ok((NameAddr::of(text, &shape), usize::from(shape.end)))
}

/// The same with the URI judged too, in one pass where it stands in brackets.
#[inline]
pub(super) fn judge(text: &[u8], at: usize) -> Result<Shape, Error> {
    let start = chars::skip_lws(text, at);
    let Some(bracket) = find_bracket(text, start)? else {
        let mut value = bare(text, start)?;
        let uri = text.get(usize::from(value.uri)..usize::from(value.uri_to)).unwrap_or(&[]);
        value.uri_shape = uri_shape::shape(uri).map_err(|e| e.shifted(start))?;
        return Ok(value);
    };
    let uri = text.get(bracket + 1..).unwrap_or(&[]);
    let (shape, length) = uri_shape::prefix(uri).map_err(|e| e.shifted(bracket + 1))?;
    let close = bracket + 1 + length;
    if text.get(close) != Some(&b'>') {
        return Err(Error::new(close, "'>' after the URI"));
    }
    Ok(Shape { uri_shape: shape, ..bracketed(text, start, bracket, close)? })
}

#[inline(always)]
fn bracketed(text: &[u8], start: usize, bracket: usize, close: usize) -> Result<Shape, Error> {
    let mut display_to = bracket;
    while display_to > start && text.get(display_to - 1).is_some_and(|&b| chars::is(b, LWS)) {
        display_to -= 1;
    }
    let (end, tag) = find_param(text, close + 1, b"tag")?;
    Ok(Shape {
        start: start as u16,
        display_to: display_to as u16,
        uri: bracket as u16 + 1,
        uri_to: close as u16,
        params: close as u16 + 1,
        end: end as u16,
        tag,
        uri_shape: uri_shape::Shape::default(),
    })
}

#[inline]
fn shape(text: &[u8], at: usize) -> Result<Shape, Error> {
    if text.len() > usize::from(u16::MAX) {
        return Err(Error::new(usize::from(u16::MAX), "at most 65,535 octets"));
    }
    let start = chars::skip_lws(text, at);
    let Some(bracket) = find_bracket(text, start)? else {
        return bare(text, start);
    };
    let rest = text.get(bracket..).unwrap_or(&[]);
    let Some(close) = rest.iter().position(|&b| b == b'>').map(|i| bracket + i) else {
        return Err(Error::new(bracket, "'>'"));
    };
    bracketed(text, start, bracket, close)
}

/// The `<` after an optional display name; `None` for a bare URI.
#[inline]
fn find_bracket(text: &[u8], start: usize) -> Result<Option<usize>, Error> {
    let mut at = start;
    if text.get(at) == Some(&b'"') {
        at = chars::skip_quoted(text, at).ok_or(Error::new(at, "closed quoted string"))?;
        at = chars::skip_lws(text, at);
        return match text.get(at) {
            Some(b'<') => Ok(Some(at)),
            _ => Err(Error::new(at, "'<' after the display name")),
        };
    }
    // display-name = *(token LWS); a bare URI shows its ':' first.
    at = chars::skip(text, at, DISPLAY);
    match text.get(at) {
        Some(b'<') => Ok(Some(at)),
        Some(b':') => Ok(None),
        // Display names with letters beyond ASCII or with punctuation belong in quotes.
        _ => Err(Error::new(at, "display name of tokens, '<' or a URI")),
    }
}

/// A URI without brackets: RFC 3261 §20: no comma, question mark or semicolon may be part of it.
fn bare(text: &[u8], start: usize) -> Result<Shape, Error> {
    let stop =
        |b: u8| matches!(b, b',' | b';' | b'?' | b' ' | b'\t' | b'\r' | b'\n' | b'<' | b'>' | b'"');
    let rest = text.get(start..).unwrap_or(&[]);
    let uri_to = start + rest.iter().position(|&b| stop(b)).unwrap_or(rest.len());
    //= RFC 3261 §20.10
    // A URI with a comma, question mark or semicolon must stand in brackets.
    if text.get(uri_to) == Some(&b'?') {
        return Err(Error::new(uri_to, "'<' and '>' around a URI with '?'"));
    }
    let (end, tag) = find_param(text, uri_to, b"tag")?;
    Ok(Shape {
        start: start as u16,
        display_to: start as u16,
        uri: start as u16,
        uri_to: uri_to as u16,
        params: uri_to as u16,
        end: end as u16,
        tag,
        uri_shape: uri_shape::Shape::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn header_parameters_are_told_from_uri_parameters_by_the_brackets() {
        let n = NameAddr::parse("sip:a@b;tag=1;x").expect("bare");
        assert_eq!((n.uri_text, n.tag(), n.display_name()), ("sip:a@b", Some("1"), None));
        let n =
            NameAddr::parse("  \"A \\\"B\\\", C\"\t<sip:a@b;tag=2?x=y> ; tag = 1;q=0.7;expires=60")
                .expect("bracketed");
        assert_eq!((n.uri_text, n.tag()), ("sip:a@b;tag=2?x=y", Some("1")));
        assert_eq!(n.display_name().as_deref(), Some("A \"B\", C"));
        assert_eq!((n.q(), n.expires()), (Some(700), Some(60)));
        let n = NameAddr::parse("caller<sip:caller@example.com>").expect("no space needed");
        assert_eq!(n.display, "caller");
    }

    //= RFC 3261 §20.10 type=test
    #[test]
    fn broken_values_are_blamed_at_their_place() {
        for (text, offset) in [
            ("", 0),
            ("\"A <sip:a@b>", 0),
            ("\"A\" sip:a@b", 4),
            ("<sip:a@b", 0),
            ("A, B <sip:a@b>", 1),
            ("sip:a@b?x=y", 7),
            ("<sip:a@b> x", 10),
            ("<sip:a@b>;=", 10),
            ("sip:a@b, sip:c@d", 7),
        ] {
            assert_eq!(
                NameAddr::parse(text).map(|_| ()).map_err(|e| e.offset),
                Err(offset),
                "{text}"
            );
        }
    }

    #[test]
    fn preferences_are_thousandths() {
        let all = ["0", "1", "0.5", "0.123", "1.000", "1.", "0."];
        assert_eq!(all.map(qvalue), [0, 1000, 500, 123, 1000, 1000, 0].map(Some));
        for bad in ["", "2", "1.001", "0.1234", ".5", "-1", "0.x"] {
            assert_eq!(qvalue(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_composed_value_parses_to_its_pieces(
            name in proptest::option::of("[^\r\n]{0,12}"),
            tag in proptest::option::of("[a-z0-9]{1,8}"),
        ) {
            let display = name.as_ref().map(|n| params::quote(n)).unwrap_or_default();
            let tail = tag.as_ref().map(|t| format!(";tag={t}")).unwrap_or_default();
            let text = format!("{display}<sip:a,b;c@d;lr?e=f>{tail}");
            let value = NameAddr::parse(&text);
            prop_assert!(value.is_ok(), "{} {:?}", text, value);
            let value = value.expect("ok");
            prop_assert_eq!(value.uri_text, "sip:a,b;c@d;lr?e=f");
            prop_assert_eq!(value.tag(), tag.as_deref());
            let display = value.display_name().unwrap_or_default().into_owned();
            prop_assert_eq!(display, name.unwrap_or_default());
            prop_assert_eq!(value.to_string(), text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
            if let Ok(value) = NameAddr::parse(&text) {
                let _ = (value.uri(), value.q(), value.expires(), value.display_name());
            }
        }
    }
}
