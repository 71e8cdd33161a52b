//! Hash algorithms — RFC 7616 §3.3, §6.1; RFC 8760 §2.
use alloc::string::String;
use core::fmt;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512_256};

/// In the order of strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

impl Algorithm {
    pub const ALL: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256];

    /// The token; phones of the field know MD5 only in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    pub fn parse(token: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| token.eq_ignore_ascii_case(a.as_str()))
    }

    /// Length of a digest in hexadecimal digits.
    pub const fn hex_len(self) -> usize {
        match self {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 | Algorithm::Sha512_256 => 64,
        }
    }

    /// H(a ":" b ":" ...) in lower-case hexadecimal, RFC 7616 §3.3.
    pub fn hash(self, parts: &[&str]) -> String {
        match self {
            Algorithm::Md5 => joined::<Md5>(parts),
            Algorithm::Sha256 => joined::<Sha256>(parts),
            Algorithm::Sha512_256 => joined::<Sha512_256>(parts),
        }
    }

    //= RFC 7616 §3.4.2
    /// H(A1): all that needs to be stored of a password, per algorithm and realm.
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&[user, realm, password])
    }

    //= RFC 7616 §3.4.1
    /// The `response` of a request. Without `qop` it is that of RFC 2069, kept by RFC 2617.
    pub(super) fn response(self, ha1: &str, p: &Proof<'_>) -> String {
        let ha2 = self.hash(&[p.method, p.uri]);
        match p.qop {
            Some((qop, nc, cnonce)) => self.hash(&[ha1, p.nonce, nc, cnonce, qop, &ha2]),
            None => self.hash(&[ha1, p.nonce, &ha2]),
        }
    }
}

/// What a response is computed over, beside H(A1).
pub(super) struct Proof<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    /// qop, nc and cnonce, each as written.
    pub qop: Option<(&'a str, &'a str, &'a str)>,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn joined<D: Digest>(parts: &[&str]) -> String {
    let mut hash = D::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        for nibble in [b >> 4, b & 15] {
            out.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    out
}
