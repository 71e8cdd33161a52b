//! Authorization, WWW-Authenticate and their proxy forms: RFC 3261 §20.7, §25.1; RFC 7616 §3.
//! Owns: the grammar (nom; cold).  Does not know: whether a digest is right.
use super::chars::{self, LWS, TOKEN};
use super::params::unquote;
use super::rejected::Error;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{opt, recognize};
use nom::multi::separated_list1;
use nom::sequence::{delimited, separated_pair, terminated};
use nom::{IResult, Input, Parser};

/// More parameters than any scheme has. Brim: malformed.
const PARAMS_MAX: usize = 32;

/// What a client sends in Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials<'a>(Scheme<'a>);

/// What a server asks for in WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeView<'a>(Scheme<'a>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scheme<'a> {
    name: &'a str,
    params: Vec<(&'a str, &'a str)>,
}

macro_rules! view {
    ($view:ident) => {
        impl<'a> $view<'a> {
            pub fn parse(value: &'a str) -> Result<Self, Error> {
                parse(value).map($view)
            }
            /// As written; compare without case.
            pub fn scheme(&self) -> &'a str {
                self.0.name
            }
            pub fn is_digest(&self) -> bool {
                self.0.name.eq_ignore_ascii_case("Digest")
            }
            /// The value of the first parameter of that name, unquoted.
            pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
                self.raw(name).map(unquote)
            }
            /// The same as written, with its quotes.
            pub fn raw(&self, name: &str) -> Option<&'a str> {
                let found = self.0.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
                found.map(|(_, value)| *value)
            }
            /// Names and raw values in order.
            pub fn params(&self) -> &[(&'a str, &'a str)] {
                &self.0.params
            }
        }

        impl fmt::Display for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.name)?;
                for (i, (name, value)) in self.0.params.iter().enumerate() {
                    write!(f, "{}{name}={value}", if i == 0 { " " } else { ", " })?;
                }
                Ok(())
            }
        }
    };
}

view!(Credentials);
view!(ChallengeView);

fn lws(text: &str) -> IResult<&str, &str> {
    take_while(|c: char| c.is_ascii() && chars::is(c as u8, LWS)).parse(text)
}

fn token(text: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii() && chars::is(c as u8, TOKEN)).parse(text)
}

fn quoted(text: &str) -> IResult<&str, &str> {
    match chars::skip_quoted(text.as_bytes(), 0) {
        Some(end) if text.starts_with('"') => Ok(text.take_split(end)),
        _ => Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Char))),
    }
}

/// auth-param, or the empty value that some clients send (`opaque=`).
fn param(text: &str) -> IResult<&str, (&str, &str)> {
    // Base64 material (`Basic Zm9v==`) reads as a token with its padding.
    let value = alt((quoted, recognize((token, take_while(|c| c == '='))), tag("")));
    separated_pair(token, delimited(lws, tag("="), lws), value).parse(text)
}

fn scheme(text: &str) -> IResult<&str, Scheme<'_>> {
    let comma = delimited(lws, tag(","), lws);
    let params = separated_list1(comma, param);
    let (rest, (name, params)) = (terminated(token, lws), opt(params)).parse(text)?;
    let (rest, _) = lws(rest)?;
    Ok((rest, Scheme { name, params: params.unwrap_or_default() }))
}

fn parse(value: &str) -> Result<Scheme<'_>, Error> {
    let here = |rest: &str| value.len() - rest.len();
    match scheme(value) {
        // A scheme that is not Digest may carry anything; it is answered by its name.
        Ok((rest, s)) if !rest.is_empty() && s.name.eq_ignore_ascii_case("Digest") => {
            Err(Error::new(here(rest), "name=value, separated by commas"))
        }
        Ok((rest, s)) if s.params.len() > PARAMS_MAX => {
            Err(Error::new(here(rest), "at most 32 parameters"))
        }
        Ok((_, s)) => Ok(s),
        Err(_) => Err(Error::new(0, "authentication scheme")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn credentials_keep_order_and_lose_quotes_on_demand() {
        let text = "Digest username=\"Alice \\\"A\\\"\", realm=\"atlanta.com\",\r\n nonce=\"84f1,c1\" , qop=auth, nc=00000001,opaque=";
        let c = Credentials::parse(text).expect("valid");
        assert!(c.is_digest());
        assert_eq!(c.param("USERNAME").as_deref(), Some("Alice \"A\""));
        assert_eq!(c.param("nonce").as_deref(), Some("84f1,c1"));
        assert_eq!(
            (c.raw("nc"), c.raw("opaque"), c.raw("uri")),
            (Some("00000001"), Some(""), None)
        );
        assert!(Credentials::parse(&c.to_string()).is_ok());
    }

    #[test]
    fn a_stranger_scheme_is_named_and_a_broken_digest_is_blamed() {
        let c = Credentials::parse("NoOneKnowsThisScheme opaque-data=here").expect("by name");
        assert_eq!((c.scheme(), c.is_digest()), ("NoOneKnowsThisScheme", false));
        assert_eq!(Credentials::parse("Basic QWxhZGRpbg==").expect("by name").scheme(), "Basic");
        let broken = ["Digest username=\"a", "Digest a=b c=d", "Digest a", "", "\"x\""];
        assert_eq!(broken.map(|b| Credentials::parse(b).is_err()), [true; 5]);
    }

    proptest! {
        #[test]
        fn what_was_printed_parses_to_the_same(
            params in proptest::collection::vec(("[a-z]{1,6}", "[^\r\n]{0,12}"), 0..6),
        ) {
            let mut text = alloc::string::String::from("Digest");
            for (i, (name, value)) in params.iter().enumerate() {
                text.push_str(if i == 0 { " " } else { ", " });
                text.push_str(name);
                text.push('=');
                text.push_str(&super::super::params::quote(value));
            }
            let view = ChallengeView::parse(&text);
            prop_assert!(view.is_ok(), "{:?} {}", view, text);
            let view = view.expect("ok");
            prop_assert_eq!(view.to_string(), text.clone());
            let back: Vec<_> = view.params().iter()
                .map(|(n, v)| (n.to_string(), unquote(v).into_owned())).collect();
            prop_assert_eq!(back, params);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "(Digest )?\\PC{0,60}") {
            let _ = Credentials::parse(&text).map(|c| c.to_string());
        }
    }
}
