//! Equality of URIs: RFC 3261 §19.1.4, RFC 3986 §6.2 for other schemes.
//! It is not transitive (a parameter that only one side has may be ignored), so it is a function
//! and not `Eq`.
use super::params::Params;
use super::uri::{Uri, octet};

pub(super) fn equal(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    if !a.is_sip() || !b.is_sip() {
        return a.scheme.eq_ignore_ascii_case(b.scheme)
            && a.is_sip() == b.is_sip()
            && same_octets(a.opaque, b.opaque, false);
    }
    //= RFC 3261 §19.1.4
    // A sip and a sips URI are never equivalent; user and password are case-sensitive, all else
    // is not; a component that is missing does not equal its default.
    a.is_sips() == b.is_sips()
        && same_option(a.user, b.user)
        && same_option(a.password, b.password)
        && a.host.eq_ignore_ascii_case(b.host)
        && a.port == b.port
        && same_params(a.params, b.params)
        && same_params(b.params, a.params)
        && same_headers(a, b)
        && same_headers(b, a)
}

fn same_option(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same_octets(a, b, false),
        _ => false,
    }
}

/// Equal after resolving escapes, so that `%61lice` equals `alice`.
fn same_octets(a: &str, b: &str, ignore_case: bool) -> bool {
    let fold = move |o: u8| if ignore_case { o.to_ascii_lowercase() } else { o };
    a.len() == b.len() && a == b || octets(a).map(fold).eq(octets(b).map(fold))
}

fn octets(text: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = text.as_bytes();
    core::iter::from_fn(move || {
        let (&first, tail) = rest.split_first()?;
        let escaped = tail.first_chunk().copied().filter(|_| first == b'%').and_then(octet);
        rest = if escaped.is_some() { tail.get(2..).unwrap_or(&[]) } else { tail };
        Some(escaped.unwrap_or(first))
    })
}

/// Every parameter of `a` agrees with `b`. Those that only `a` has are ignored, except the ones
/// which change where or how a request goes.
fn same_params(a: Params<'_>, b: Params<'_>) -> bool {
    //= RFC 3261 §19.1.4
    // user, ttl, method and maddr never match when only one URI has them; a transport neither,
    // since the omitted one is not its default.
    const BINDING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    a.iter().take(PARAMS_COMPARED).all(|(name, value)| match b.get(name) {
        None => !BINDING.iter().any(|n| n.eq_ignore_ascii_case(name)),
        Some(other) => match (value, other) {
            (None, None) => true,
            (Some(x), Some(y)) => same_octets(x, y, !name.eq_ignore_ascii_case("method")),
            _ => false,
        },
    })
}

/// Beyond this many the rest is not compared: comparing is quadratic and the text a peer's.
const PARAMS_COMPARED: usize = 32;

/// Headers must be the same on both sides, in any order; names ignore case.
fn same_headers(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    a.header_pairs().count() == b.header_pairs().count()
        && a.header_pairs().take(PARAMS_COMPARED).all(|(name, value)| {
            b.header_pairs()
                .any(|(n, v)| same_octets(name, n, true) && same_octets(value, v, false))
        })
}

#[cfg(test)]
mod tests {
    use super::super::uri::Uri;
    use alloc::format;
    use alloc::string::String;
    use proptest::prelude::*;

    fn equal(a: &str, b: &str) -> bool {
        let parse = |t| Uri::parse(t).expect("a valid URI");
        let (a, b) = (parse(a), parse(b));
        assert_eq!(a.equals(&b), b.equals(&a), "symmetric: {a} {b}");
        a.equals(&b)
    }

    //= RFC 3261 §19.1.4 type=test
    #[test]
    fn the_examples_of_the_rfc_that_are_equivalent() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(equal(a, b), "{a} {b}");
        }
    }

    //= RFC 3261 §19.1.4 type=test
    #[test]
    fn the_examples_of_the_rfc_that_are_not_equivalent() {
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:alice@a.com", "sips:alice@a.com"),
            ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
            ("sip:a@b;user=phone", "sip:a@b"),
            ("sip:a:x@b", "sip:a@b"),
            ("tel:1", "tel:2"),
        ] {
            assert!(!equal(a, b), "{a} {b}");
        }
    }

    fn uri() -> impl Strategy<Value = String> {
        let params =
            "(;(transport=(tcp|TCP|udp)|lr|maddr=1\\.2\\.3\\.4|a=%4[01]|b=B|method=ACK)){0,3}";
        let text =
            format!("(sip|SIPS):((alice|%61lice|ALICE)@)?(a\\.b|A\\.b)(:5060)?{params}(\\?h=v)?");
        proptest::string::string_regex(&text).expect("a regular expression")
    }

    proptest! {
        #[test]
        fn equality_is_reflexive_and_symmetric(a in uri(), b in uri()) {
            let (x, y) = (Uri::parse(&a).expect("valid"), Uri::parse(&b).expect("valid"));
            // A parameter given twice with two values is invalid (§19.1.1) and equals nothing.
            let twice = x.params.iter().any(|(n, v)| x.params.get(n) != Some(v));
            prop_assert!(twice || x.equals(&x), "{}", a);
            prop_assert_eq!(x.equals(&y), y.equals(&x));
        }
    }
}
