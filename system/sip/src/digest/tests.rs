//! The vectors of the standards, and the verdicts against a server that remembers everything.
use super::*;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bitspath_core::limits::{NONCE_LIFE, NONCE_WINDOW};
use bitspath_core::{Duration, UnixTime};
use proptest::prelude::*;

const REALM: &str = "example.test";
const URI: &str = "sip:example.test";
const NOON: UnixTime = UnixTime(1_795_426_867_000_000_000);

fn after(seconds: u64) -> UnixTime {
    NOON + Duration::from_secs(seconds)
}

fn nonces() -> Nonces {
    Nonces::new([7; 32])
}

fn login(challenge: &str, password: &str, nc: u32) -> String {
    answer(challenge, "1001", password, "REGISTER", URI, nc, "0a4f113b").expect("answerable")
}

/// A server with one user, 1001, whose password is `secret`.
fn judge(nonces: &mut Nonces, now: UnixTime, credentials: &str) -> Verdict {
    let stored: BTreeMap<Algorithm, String> =
        Algorithm::ALL.into_iter().map(|a| (a, a.ha1("1001", REALM, "secret"))).collect();
    let ha1 =
        |user: &str, a: Algorithm| stored.get(&a).filter(|_| user == "1001").map(String::as_str);
    verify(nonces, now, REALM, &Algorithm::ALL, "REGISTER", [credentials], ha1)
}

fn ok() -> Verdict {
    Verdict::Ok { user: "1001".to_string() }
}

fn response(text: &str) -> String {
    let view = crate::wire::auth::Credentials::parse(text).expect("credentials");
    view.param("response").expect("a response").into_owned()
}

//= RFC 2617 §3.5 type=test
//= RFC 7616 §3.9.1 type=test
//= RFC 7616 §3.4.1 type=test
//= RFC 7616 §3.4.2 type=test
#[test]
fn the_examples_of_the_standards_come_out() {
    let asked = r#"Digest realm="testrealm@host.com", qop="auth,auth-int",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let got = answer(asked, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", 1, "0a4f113b");
    assert_eq!(response(&got.expect("answered")), "6629fae49393a05397450978507c4ef1");

    let asked = |algorithm: &str| {
        format!(
            r#"Digest realm="http-auth@example.org", qop="auth, auth-int",
            algorithm={algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v""#
        )
    };
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let get = |algorithm: &str| {
        let (user, password) = ("Mufasa", "Circle of Life");
        let asked = asked(algorithm);
        let got = answer(&asked, user, password, "GET", "/dir/index.html", 1, cnonce);
        response(&got.expect("answered"))
    };
    assert_eq!(get("MD5"), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(get("SHA-256"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

/// RFC 7616 §3.9.2 prints SHA-512 cut to 256 bits by mistake (errata); this is the value with the
/// initial vector of FIPS 180-4, computed by an independent implementation.
#[test]
fn sha_512_256_is_that_of_fips_180_4() {
    let asked = r#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256,
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK""#;
    let (user, cnonce) = ("Jäsøn Doe", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
    let got = answer(asked, user, "Secret, or not?", "GET", "/doe.json", 1, cnonce);
    assert_eq!(
        response(&got.expect("answered")),
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    );
}

#[test]
fn the_challenge_is_exactly_what_phones_of_the_field_read() {
    assert_eq!(
        challenge(REALM, "ab", Algorithm::Md5, false),
        r#"Digest realm="example.test", nonce="ab", algorithm=MD5, qop="auth""#
    );
    assert!(challenge(REALM, "ab", Algorithm::Md5, true).ends_with(r#"qop="auth", stale=true"#));
}

//= RFC 8760 §2.3 type=test
//= RFC 8760 §2.4 type=test
#[test]
fn several_challenges_keep_their_order_and_each_can_be_answered() {
    let mut n = nonces();
    let order = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];
    let list = challenges(&mut n, NOON, REALM, &order, false);
    assert_eq!(preferred(list.iter().map(String::as_str)), Some(list[0].as_str()));
    let strange = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-3";
    assert_eq!(preferred([strange, &list[1]]), Some(list[1].as_str()));
    for c in &list {
        assert_eq!(judge(&mut n, NOON, &login(c, "secret", 1)), ok());
    }
}

#[test]
fn an_algorithm_that_was_not_asked_for_counts_as_none() {
    let mut n = nonces();
    let md5 = challenge(REALM, &n.mint(NOON, REALM), Algorithm::Md5, false);
    let text = login(&md5, "secret", 1);
    let got = verify(&mut n, NOON, REALM, &[Algorithm::Sha256], "REGISTER", [&*text], |_, _| None);
    assert_eq!(got, Verdict::NoCredentials);
}

#[test]
fn only_a_right_digest_learns_that_its_nonce_is_stale() {
    let mut n = nonces();
    let c = challenge(REALM, &n.mint(NOON, REALM), Algorithm::Md5, false);
    let late = after(NONCE_LIFE.as_secs() + 1);
    assert_eq!(judge(&mut n, late, &login(&c, "secret", 1)), Verdict::Stale);
    assert_eq!(judge(&mut n, late, &login(&c, "guess", 1)), Verdict::Wrong { nonce_good: false });
    let foreign = challenge(REALM, "not-of-this-house", Algorithm::Md5, false);
    assert_eq!(judge(&mut n, NOON, &login(&foreign, "secret", 1)), Verdict::Stale);
    assert_eq!(
        judge(&mut n, NOON, &login(&foreign, "guess", 1)),
        Verdict::Wrong { nonce_good: false }
    );
    let other_realm = n.mint(NOON, "other.test");
    let moved = challenge(REALM, &other_realm, Algorithm::Md5, false);
    assert_eq!(judge(&mut n, NOON, &login(&moved, "secret", 1)), Verdict::Stale);
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password_and_leaves_the_nonce_unspent() {
    let mut n = nonces();
    let c = challenge(REALM, &n.mint(NOON, REALM), Algorithm::Md5, false);
    let ghost = answer(&c, "ghost", "secret", "REGISTER", URI, 1, "x").expect("answered");
    assert!(matches!(judge(&mut n, NOON, &ghost), Verdict::Wrong { nonce_good: true }));
    // Not even who knows the digest that stands in for nobody.
    let nobody = "0".repeat(32);
    let ha2 = Algorithm::Md5.hash(&["REGISTER", URI]);
    let nonce = n.mint(NOON, REALM);
    let forged = Algorithm::Md5.hash(&[&nobody, &nonce, &ha2]);
    let text = format!(
        r#"Digest username="ghost", realm="{REALM}", nonce="{nonce}", uri="{URI}",
        response="{forged}""#
    );
    assert_eq!(judge(&mut n, NOON, &text), Verdict::Wrong { nonce_good: true });
    assert!(n.is_empty());
    assert_eq!(judge(&mut n, NOON, &login(&c, "secret", 1)), ok());
}

//= RFC 7616 §3.4 type=test
#[test]
fn credentials_that_name_no_algorithm_are_md5() {
    let mut n = nonces();
    let mut of = |algorithm: Algorithm| {
        let c = challenge(REALM, &n.mint(NOON, REALM), algorithm, false);
        let text = login(&c, "secret", 1);
        let bare = text.replace(&format!(", algorithm={algorithm}"), "");
        assert_ne!(bare, text);
        judge(&mut n, NOON, &bare)
    };
    assert_eq!(of(Algorithm::Md5), ok());
    assert_eq!(of(Algorithm::Sha256), Verdict::Wrong { nonce_good: true });
}

#[test]
fn a_client_without_qop_may_use_a_nonce_once() {
    let mut n = nonces();
    let c = format!(r#"Digest realm="{REALM}", nonce="{}""#, n.mint(NOON, REALM));
    let text = login(&c, "secret", 1);
    assert!(!text.contains("qop"));
    assert_eq!(judge(&mut n, NOON, &text), ok());
    assert_eq!(judge(&mut n, NOON, &text), Verdict::Stale);
}

#[test]
fn credentials_are_found_among_others_or_blamed() {
    let mut n = nonces();
    let mut of = |list: &[&str]| {
        verify(&mut n, NOON, REALM, &[Algorithm::Md5], "INVITE", list.iter().copied(), |_, _| None)
    };
    assert_eq!(of(&[]), Verdict::NoCredentials);
    assert_eq!(of(&["Bearer abc", "Digest realm=\"other\", nonce=\"x\""]), Verdict::NoCredentials);
    assert_eq!(of(&["Digest realm=\"example.test\", username=\"a\""]), Verdict::Malformed);
    let auth_int = r#"Digest realm="example.test", username="a", nonce="n", uri="u",
        response="r", qop=auth-int, nc=00000001, cnonce="c""#;
    assert_eq!(of(&[auth_int]), Verdict::Malformed);
    let wrong_nc = auth_int.replace("auth-int", "auth").replace("00000001", "xyz");
    assert_eq!(of(&[&wrong_nc]), Verdict::Malformed);
    let long = "n".repeat(300);
    assert_eq!(of(&[&auth_int.replace("\"n\"", &format!("\"{long}\""))]), Verdict::Malformed);
}

#[test]
fn the_brim_forgets_the_oldest_and_never_lets_it_in_again() {
    let mut n = nonces().with_capacity(2);
    let list: Vec<String> =
        (0..3).map(|s| challenge(REALM, &n.mint(after(s), REALM), Algorithm::Md5, false)).collect();
    for c in &list {
        assert_eq!(judge(&mut n, after(3), &login(c, "secret", 1)), ok());
    }
    assert_eq!(n.len(), 2);
    assert_eq!(judge(&mut n, after(3), &login(&list[0], "secret", 1)), Verdict::Stale);
    assert_eq!(judge(&mut n, after(3), &login(&list[0], "secret", 2)), Verdict::Stale);
    assert_eq!(judge(&mut n, after(3), &login(&list[2], "secret", 2)), ok());
}

#[test]
fn windows_of_dead_nonces_are_swept_by_later_ones_and_a_thawed_mint_goes_on() {
    let mut n = nonces();
    for s in 0..100 {
        let at = after(s * 60);
        let c = challenge(REALM, &n.mint(at, REALM), Algorithm::Md5, false);
        assert_eq!(judge(&mut n, at, &login(&c, "secret", 1)), ok());
    }
    assert!(n.len() as u64 <= 1 + NONCE_LIFE.as_secs() / 60);
    let c = challenge(REALM, &n.mint(after(6000), REALM), Algorithm::Md5, false);
    let frozen = bitspath_core::freeze::freeze(&n);
    let mut thawed: Nonces = bitspath_core::freeze::thaw(&frozen.0).expect("thaws");
    assert_eq!(judge(&mut thawed, after(6000), &login(&c, "secret", 1)), ok());
}

proptest! {
    /// Model: the set of all counts used, and the highest.
    #[test]
    fn no_count_is_accepted_twice_and_a_window_is_kept(
        counts in prop::collection::vec(0u32..200, 1..80),
    ) {
        let mut n = nonces();
        let c = challenge(REALM, &n.mint(NOON, REALM), Algorithm::Sha256, false);
        let (mut used, mut highest) = (BTreeSet::new(), None::<u32>);
        for nc in counts {
            let in_window = highest.is_none_or(|h| nc > h || h - nc < NONCE_WINDOW);
            // The first use sets the highest count; those below it are still free.
            let want = if in_window && !used.contains(&nc) { ok() } else { Verdict::Stale };
            prop_assert_eq!(judge(&mut n, NOON, &login(&c, "secret", nc)), want.clone());
            if want == ok() {
                used.insert(nc);
                highest = highest.max(Some(nc));
            }
        }
    }

    #[test]
    fn every_changed_octet_of_a_nonce_makes_it_foreign(
        at in any::<prop::sample::Index>(), octet in "[0-9a-z]",
    ) {
        let mut n = nonces();
        let nonce = n.mint(NOON, REALM);
        let at = at.index(nonce.len());
        let changed = format!("{}{octet}{}", &nonce[..at], &nonce[at + 1..]);
        let c = challenge(REALM, &changed, Algorithm::Md5, false);
        let want = if changed == nonce { ok() } else { Verdict::Stale };
        prop_assert_eq!(judge(&mut n, NOON, &login(&c, "secret", 1)), want);
    }

    #[test]
    fn any_user_realm_and_password_can_log_in(
        user in "[^\r\n\0]{1,12}", realm in "[^\r\n\0]{1,12}", password in "\\PC{0,12}",
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
    ) {
        let mut n = nonces();
        let c = challenge(&realm, &n.mint(NOON, &realm), algorithm, false);
        let text = answer(&c, &user, &password, "INVITE", URI, 1, "c").expect("answerable");
        let ha1 = algorithm.ha1(&user, &realm, &password);
        let got = verify(&mut n, NOON, &realm, &[algorithm], "INVITE", vec![&*text], |u, _| {
            (u == user).then_some(ha1.as_str())
        });
        prop_assert_eq!(got, Verdict::Ok { user });
    }

    #[test]
    fn no_text_makes_the_verdict_panic(text in "(Digest )?\\PC{0,80}") {
        let mut n = nonces();
        let _ = judge(&mut n, NOON, &text);
        let _ = answer(&text, "u", "p", "M", "sip:x", 1, "c");
    }
}
