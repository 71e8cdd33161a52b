//! The client's side of digest — RFC 2617 §3.2.2, RFC 7616 §3.4, RFC 8760.
//! Answers the first challenge whose algorithm it knows.  Missing: auth-int, userhash.
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// What a challenge asks for, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: String,
    pub qop: bool,
    pub stale: bool,
}

impl Challenge {
    pub fn parse(value: &str) -> Option<Challenge> {
        let rest = value.trim().strip_prefix("Digest ")?;
        let algorithm = field(rest, "algorithm").unwrap_or("MD5").to_owned();
        hash(&algorithm, "").is_some().then_some(())?;
        Some(Challenge {
            realm: field(rest, "realm")?.to_owned(),
            nonce: field(rest, "nonce")?.to_owned(),
            opaque: field(rest, "opaque").map(str::to_owned),
            algorithm,
            qop: field(rest, "qop").is_some(),
            stale: field(rest, "stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of the Authorization header.
    pub fn answer(
        &self,
        (user, password): (&str, &str),
        (method, uri): (&str, &str),
        nc: u32,
        cnonce: &str,
    ) -> String {
        let h = |text: String| hash(&self.algorithm, &text).unwrap_or_default();
        let ha1 = h(format!("{user}:{}:{password}", self.realm));
        let ha2 = h(format!("{method}:{uri}"));
        let (realm, nonce, algorithm) = (&self.realm, &self.nonce, &self.algorithm);
        let mut out = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", "
        );
        let response = if self.qop {
            out += &format!("qop=auth, nc={nc:08x}, cnonce=\"{cnonce}\", ");
            h(format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"))
        } else {
            h(format!("{ha1}:{nonce}:{ha2}"))
        };
        out += &format!("response=\"{response}\", algorithm={algorithm}");
        if let Some(opaque) = &self.opaque {
            out += &format!(", opaque=\"{opaque}\"");
        }
        out
    }
}

fn hash(algorithm: &str, text: &str) -> Option<String> {
    match algorithm {
        "MD5" | "md5" => Some(hex(&Md5::digest(text))),
        "SHA-256" => Some(hex(&Sha256::digest(text))),
        "SHA-512-256" => Some(hex(&Sha512_256::digest(text))),
        _ => None,
    }
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |b: u8| char::from(DIGITS[usize::from(b & 15)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

/// One parameter of a challenge, quotes taken off; commas inside quotes are respected.
fn field<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    let mut quoted = false;
    let parts = rest.split(|c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    });
    for part in parts {
        let (key, value) = part.split_once('=')?;
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().trim_matches('"'));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 2617 §3.5 type=test
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let challenge = Challenge::parse(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc\"",
        )
        .unwrap();
        let answer = challenge.answer(
            ("Mufasa", "Circle Of Life"),
            ("GET", "/dir/index.html"),
            1,
            "0a4f113b",
        );
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
    }

    #[test]
    fn an_unknown_algorithm_is_not_answered() {
        assert_eq!(Challenge::parse("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1"), None);
        assert_eq!(Challenge::parse("Basic realm=\"r\""), None);
    }
}
