use super::*;
use alloc::format;
use alloc::string::ToString;
use proptest::prelude::*;

#[test]
fn the_pieces_of_a_full_uri() {
    let u = Uri::parse("sips:al%20ice;x=1:pw@[2001:db8::9]:5061;transport=tcp;lr?To=a%40b&x=")
        .expect("valid");
    assert_eq!((u.scheme, u.user, u.password), ("sips", Some("al%20ice;x=1"), Some("pw")));
    assert_eq!((u.host, u.port, u.transport()), ("[2001:db8::9]", Some(5061), Some("tcp")));
    assert_eq!((u.param("LR"), u.param("none"), u.headers), (Some(None), None, "To=a%40b&x="));
    assert_eq!(u.user_unescaped().as_deref(), Some("al ice;x=1"));
    assert_eq!(host_ip(u.host).map(|ip| ip.to_string()).as_deref(), Some("2001:db8::9"));
}

#[test]
fn other_schemes_keep_their_opaque_part() {
    let u = Uri::parse("tel:+358-555-1234567;phone-context=+358").expect("valid");
    assert_eq!(
        (u.scheme, u.opaque, u.is_sip()),
        ("tel", "+358-555-1234567;phone-context=+358", false)
    );
    assert!(Uri::parse("mailto:").is_err());
}

#[test]
fn broken_uris_are_blamed_at_their_place() {
    for (text, offset) in [
        ("", 0),
        ("sip", 3),
        ("1ip:a", 0),
        ("sip:", 4),
        ("sip:@b", 4),
        ("sip:a@", 6),
        ("sip:a@b:", 8),
        ("sip:a@b:65536", 8),
        ("sip:a@b:12x", 10),
        ("sip:a@b;", 8),
        ("sip:a@b;x=", 10),
        ("sip:a@b?", 8),
        ("sip:a@b?x", 9),
        ("sip:a@b c", 7),
        ("sip:a b@c", 5),
        ("sip:a%4@c", 4),
        ("sip:a@b@c", 7),
        ("sip:a@.b", 6),
        ("sip:a@b..c", 8),
        ("sip:a@256.1.1.1", 6),
        ("sip:a@1.2.3", 6),
        ("sip:a@[::g]", 6),
        ("sip:a@[::1", 6),
        ("sip:\"a\"@b", 4),
    ] {
        assert_eq!(Uri::parse(text).map(|_| ()).map_err(|e| e.offset), Err(offset), "{text}");
    }
}

proptest! {
    /// parse∘emit: pieces that are put together come apart as the same pieces.
    #[test]
    fn a_composed_uri_parses_to_its_pieces(
        user in proptest::option::of("[a-z0-9&=+$,;?/.!~*'()_-]{1,12}"),
        host in "([a-z][a-z0-9-]{0,6}[a-z]\\.){0,2}[a-z]{1,5}|10\\.0\\.0\\.[1-9]|\\[2001:db8::[1-9]\\]",
        port in proptest::option::of(0u16..),
        params in "(;[a-z]{1,5}(=[a-z0-9:/]{1,5})?){0,3}",
        headers in "(\\?[a-z]{1,4}=[a-z]{0,4}(&[a-z]{1,4}=[a-z]{0,4}){0,2})?",
    ) {
        let at = user.as_ref().map(|u| format!("{u}@")).unwrap_or_default();
        let colon = port.map(|p| format!(":{p}")).unwrap_or_default();
        let text = format!("sip:{at}{host}{colon}{params}{headers}");
        let uri = Uri::parse(&text);
        prop_assert!(uri.is_ok(), "{} {:?}", text, uri);
        let uri = uri.expect("ok");
        prop_assert_eq!(uri.user, user.as_deref());
        prop_assert_eq!(uri.host, host);
        prop_assert_eq!(uri.port, port);
        prop_assert_eq!(uri.params.as_str(), params);
        prop_assert_eq!(uri.headers, headers.trim_start_matches('?'));
        prop_assert_eq!(uri.to_string(), text.as_str());
    }

    #[test]
    fn escaping_and_unescaping_a_user_is_identity(user in "\\PC{0,20}") {
        let escaped = escape_user(&user);
        let uri = format!("sip:{escaped}@h");
        prop_assert!(escaped.is_empty() || Uri::parse(&uri).is_ok());
        prop_assert_eq!(unescape(&escaped).into_owned(), user);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(sip:)?\\PC{0,60}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert!(uri.equals(&uri) || !uri.params.is_empty());
        }
        let _ = unescape(&text);
    }

    #[test]
    fn truncation_at_every_offset_is_an_error_or_a_shorter_uri(cut in 0usize..70) {
        let text = "sips:al%20ice:pw@[2001:db8::9]:5061;transport=tcp;lr?To=a%40b&x=";
        if let Some(Ok(uri)) = text.get(..cut).map(Uri::parse) {
            prop_assert_eq!(uri.text.len(), cut);
        }
    }
}
