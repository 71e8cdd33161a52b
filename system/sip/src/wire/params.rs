//! `;name=value` lists: RFC 3261 §25.1 generic-param, and uri-parameters §19.1.1.
//! Owns: the grammar and look-up by name.  Does not know: what a parameter means.
use super::chars::{self, LWS, PLAIN, TOKEN, URI_PARAM, VALUE};
use super::rejected::Error;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// Raw text that is empty or begins with `;`, as it stood in the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Takes text that one of the `skip_*` functions below has accepted.
    pub(super) const fn new(text: &'a str) -> Self {
        Params(text)
    }

    /// Checks the text of header parameters.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        match skip_params(text.as_bytes(), 0)? {
            end if end == text.len() => Ok(Params(text)),
            end => Err(Error::new(end, "';' or the end of parameters")),
        }
    }

    pub const fn as_str(self) -> &'a str {
        self.0
    }

    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The value of the first parameter of that name (any case): `Some(None)` is a bare flag.
    /// A quoted value keeps its quotes; see [`unquote`].
    pub fn get(self, name: &str) -> Option<Option<&'a str>> {
        let bytes = self.0.as_bytes();
        let mut at = 0;
        while bytes.get(at) == Some(&b';') {
            // The common case, without white space and quotes, needs no pieces of the others.
            let from = at + 1;
            let to = from + name.len();
            let same = bytes.get(from..to).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
            at = chars::skip(bytes, from, PLAIN);
            if bytes.get(at) == Some(&b'=') {
                at = chars::skip_run(bytes, at + 1, PLAIN);
                if same && bytes.get(to) == Some(&b'=') && is_end(bytes, at) {
                    return Some(Some(chars::trim(self.0.get(to + 1..at).unwrap_or(""))));
                }
            } else if same && at == to && is_end(bytes, at) {
                return Some(None);
            }
            if !is_end(bytes, at) || chars::is(*bytes.get(from).unwrap_or(&b' '), LWS) {
                break;
            }
        }
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(self) -> Iter<'a> {
        Iter { rest: self.0 }
    }
}

impl fmt::Display for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn is_end(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), None | Some(b';'))
}

/// Name and value of each parameter, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.as_bytes();
        let start = bytes.iter().position(|&b| b == b';')? + 1;
        let (mut at, mut equals) = (start, None);
        loop {
            at = chars::skip(bytes, at, PLAIN);
            match bytes.get(at) {
                None | Some(b';') => break,
                Some(b'"') => at = chars::skip_quoted(bytes, at).unwrap_or(bytes.len()),
                Some(_) => {
                    equals = equals.or(Some(at));
                    at += 1;
                }
            }
        }
        let cut = |from: usize, to: usize| chars::trim(self.rest.get(from..to).unwrap_or(""));
        let item = match equals {
            Some(eq) => (cut(start, eq), Some(cut(eq + 1, at))),
            None => (cut(start, at), None),
        };
        self.rest = self.rest.get(at..).unwrap_or("");
        Some(item)
    }
}

/// After the header parameters that begin at `at`: `*( SEMI token [ EQUAL gen-value ] )`, with
/// white space around the separators. Trailing white space is consumed.
pub(super) fn skip_params(text: &[u8], at: usize) -> Result<usize, Error> {
    find_param(text, at, b"").map(|(end, _)| end)
}

/// The same, and where the value of the first parameter `wanted` stands; 0 where it does not.
#[inline]
pub(super) fn find_param(
    text: &[u8],
    mut at: usize,
    wanted: &[u8],
) -> Result<(usize, (u16, u16)), Error> {
    let mut found = (0, 0);
    loop {
        at = chars::skip_lws(text, at);
        if text.get(at) != Some(&b';') {
            return Ok((at, found));
        }
        let name = chars::skip_lws(text, at + 1);
        at = chars::skip(text, name, TOKEN);
        if at == name {
            return Err(Error::new(at, "parameter name"));
        }
        let is_wanted = at - name == wanted.len() && found.1 == 0;
        let name = text.get(name..at).unwrap_or(&[]);
        let equals = chars::skip_lws(text, at);
        if text.get(equals) == Some(&b'=') {
            let value = chars::skip_lws(text, equals + 1);
            at = skip_value(text, value)?;
            if is_wanted && name.eq_ignore_ascii_case(wanted) {
                found = (value as u16, at as u16);
            }
        }
    }
}

/// After a gen-value: token, host or quoted string. `:` as in a host is let through.
#[inline(always)]
fn skip_value(text: &[u8], at: usize) -> Result<usize, Error> {
    if text.get(at) == Some(&b'"') {
        return chars::skip_quoted(text, at).ok_or(Error::new(at, "closed quoted string"));
    }
    match chars::skip_run(text, at, VALUE) {
        end if end > at => Ok(end),
        _ => Err(Error::new(at, "parameter value")),
    }
}

/// After the URI parameters that begin at `at`: no white space, no quotes, escapes checked.
#[inline(always)]
pub(super) fn skip_uri_params(text: &[u8], mut at: usize) -> Result<usize, Error> {
    const ESCAPE: &str = "two hex digits after '%'";
    while text.get(at) == Some(&b';') {
        let name = at + 1;
        at = chars::skip_escaped(text, name, URI_PARAM).ok_or(Error::new(name, ESCAPE))?;
        if at == name {
            return Err(Error::new(at, "URI parameter name"));
        }
        if text.get(at) == Some(&b'=') {
            let value = at + 1;
            at = chars::skip_escaped(text, value, URI_PARAM).ok_or(Error::new(value, ESCAPE))?;
            if at == value {
                return Err(Error::new(at, "URI parameter value"));
            }
        }
    }
    Ok(at)
}

/// The content of a quoted string with its pairs resolved; any other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut pair = false;
    for c in inner.chars() {
        if c == '\\' && !pair {
            pair = true;
        } else {
            plain.push(c);
            pair = false;
        }
    }
    Cow::Owned(plain)
}

/// The text as a quoted string: `"` and `\` escaped, line breaks made spaces.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\r' | '\n' => quoted.push(' '),
            c if c.is_ascii_control() && c != '\t' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_semicolon_inside_quotes_does_not_end_a_parameter() {
        let p = Params::parse(" ;a = \"x;y=\\\"z\" ;B; c=[2001:db8::1]").expect("valid");
        assert_eq!(p.get("A"), Some(Some("\"x;y=\\\"z\"")));
        assert_eq!(unquote("\"x;y=\\\"z\""), "x;y=\"z");
        assert_eq!(p.get("b"), Some(None));
        assert_eq!(p.get("c"), Some(Some("[2001:db8::1]")));
        assert_eq!(p.get("d"), None);
    }

    #[test]
    fn broken_parameters_are_blamed_at_their_place() {
        for (text, offset) in [(";", 1), (";a=", 3), (";a=\"x", 3), (";a b", 3), (";=b", 1)] {
            assert_eq!(Params::parse(text).map_err(|e| e.offset), Err(offset), "{text}");
        }
        assert!(skip_uri_params(b";a=%4", 0).is_err());
        assert!(skip_uri_params(b";a=", 0).is_err());
    }

    proptest! {
        #[test]
        fn quoting_and_unquoting_is_identity_on_text_without_line_breaks(text in "[^\r\n]{0,40}") {
            let quoted = quote(&text);
            prop_assert_eq!(unquote(&quoted).into_owned(), text);
        }

        #[test]
        fn what_was_joined_comes_apart_again(
            pairs in proptest::collection::vec(("[a-z]{1,6}", proptest::option::of("[^\r\n]{0,9}")), 0..6),
        ) {
            let mut text = String::new();
            for (name, value) in &pairs {
                text.push(';');
                text.push_str(name);
                if let Some(value) = value {
                    text.push('=');
                    text.push_str(&quote(value));
                }
            }
            let parsed = Params::parse(&text);
            prop_assert!(parsed.is_ok(), "{:?} {}", parsed, text);
            let back: alloc::vec::Vec<_> = parsed.expect("ok").iter()
                .map(|(n, v)| (String::from(n), v.map(|v| unquote(v).into_owned()))).collect();
            prop_assert_eq!(back, pairs);
        }

        #[test]
        fn looking_up_is_finding_the_first(text in "([;= ]|\"a;\"|[ab]){0,14}", name in "[ab]{1,2}") {
            let params = Params::new(&text);
            let first = params.iter().find(|(n, _)| n.eq_ignore_ascii_case(&name)).map(|(_, v)| v);
            prop_assert_eq!(params.get(&name), first, "{}", text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
            let _ = Params::parse(&text);
            Params::new(&text).iter().count();
            let _ = (unquote(&text), quote(&text));
        }
    }
}
