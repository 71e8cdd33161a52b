//! The verdict on a request's credentials — RFC 3261 §22.4, RFC 7616 §3.4.6.
use super::algorithm::{Algorithm, Proof};
use super::nonce::{Nonces, same};
use crate::wire::auth::Credentials;
use crate::wire::chars;
use alloc::borrow::Cow;
use alloc::string::String;
use bitspath_core::UnixTime;

/// Longest nonce-count window text and credentials values that are looked at. Brim: malformed.
const VALUE_BYTES_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// This user, by the name in the credentials.
    Ok { user: String },
    /// None for this realm and our algorithms: challenge.
    NoCredentials,
    /// A right digest over a nonce that is no longer (or not yet again) worth anything: challenge
    /// with `stale=true`.
    Stale,
    /// A wrong digest, or no such user; the two cannot be told apart. 403 when the nonce is
    /// still good (asking again would not help), else a challenge.
    Wrong { nonce_good: bool },
    /// 400.
    Malformed,
}

/// Judges the values of all Authorization headers of a request (`credentials`). `ha1` looks up
/// what is stored for a user and algorithm.
pub fn verify<'v, 'h>(
    nonces: &mut Nonces,
    now: UnixTime,
    realm: &str,
    accepted: &[Algorithm],
    method: &str,
    credentials: impl IntoIterator<Item = &'v str>,
    ha1: impl FnOnce(&str, Algorithm) -> Option<&'h str>,
) -> Verdict {
    let mut malformed = false;
    for value in credentials {
        match Presented::read(value, realm, accepted) {
            Ok(Some(presented)) => return presented.judge(nonces, now, realm, method, ha1),
            Ok(None) => {}
            Err(()) => malformed = true,
        }
    }
    if malformed { Verdict::Malformed } else { Verdict::NoCredentials }
}

/// Digest credentials for our realm.
struct Presented<'a> {
    algorithm: Algorithm,
    username: Cow<'a, str>,
    nonce: Cow<'a, str>,
    uri: Cow<'a, str>,
    response: Cow<'a, str>,
    counted: Option<Counted<'a>>,
}

struct Counted<'a> {
    qop: Cow<'a, str>,
    nc: Cow<'a, str>,
    cnonce: Cow<'a, str>,
    count: u32,
}

impl<'a> Presented<'a> {
    /// `Ok(None)`: for somebody else, or by an algorithm that we did not ask for.
    fn read(value: &'a str, realm: &str, accepted: &[Algorithm]) -> Result<Option<Self>, ()> {
        let view = Credentials::parse(value).map_err(|_| ())?;
        if !view.is_digest() || view.param("realm").as_deref() != Some(realm) {
            return Ok(None);
        }
        //= RFC 7616 §3.4
        // No algorithm means MD5.
        let named = view.param("algorithm");
        let algorithm = named.as_deref().map_or(Some(Algorithm::Md5), Algorithm::parse);
        let Some(algorithm) = algorithm.filter(|a| accepted.contains(a)) else {
            return Ok(None);
        };
        let need = |name: &str| match view.param(name) {
            Some(text) if name == "uri" || text.len() <= VALUE_BYTES_MAX => Ok(text),
            _ => Err(()),
        };
        let counted = match view.param("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let (nc, cnonce) = (need("nc")?, need("cnonce")?);
                let count = count(&nc).ok_or(())?;
                Some(Counted { qop, nc, cnonce, count })
            }
            Some(qop) if !qop.is_empty() => return Err(()),
            _ => None,
        };
        let (username, nonce) = (need("username")?, need("nonce")?);
        let (uri, response) = (need("uri")?, need("response")?);
        Ok(Some(Presented { algorithm, username, nonce, uri, response, counted }))
    }

    fn judge<'h>(
        &self,
        nonces: &mut Nonces,
        now: UnixTime,
        realm: &str,
        method: &str,
        ha1: impl FnOnce(&str, Algorithm) -> Option<&'h str>,
    ) -> Verdict {
        // An unknown user costs the same work as a known one, against a digest of nobody.
        const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
        let known = ha1(&self.username, self.algorithm);
        let nobody = NOBODY.get(..self.algorithm.hex_len()).unwrap_or(NOBODY);
        let counted = self.counted.as_ref();
        let proof = Proof {
            method,
            uri: &self.uri,
            nonce: &self.nonce,
            qop: counted.map(|c| (c.qop.as_ref(), c.nc.as_ref(), c.cnonce.as_ref())),
        };
        let right = self.algorithm.response(known.unwrap_or(nobody), &proof);
        let given = self.response.to_ascii_lowercase();
        if !(same(right.as_bytes(), given.as_bytes()) & known.is_some()) {
            return Verdict::Wrong { nonce_good: nonces.is_good(now, realm, &self.nonce) };
        }
        // A client without qop has no counts: its nonce is good for one request.
        let count = counted.map_or(1, |c| c.count);
        if nonces.spend(now, realm, &self.nonce, count) {
            Verdict::Ok { user: self.username.clone().into_owned() }
        } else {
            Verdict::Stale
        }
    }
}

/// nc is 8LHEX (RFC 7616 §3.4); shorter ones are seen and harmless.
fn count(nc: &str) -> Option<u32> {
    let hex = (1..=8).contains(&nc.len()) && chars::all(nc, chars::HEX);
    if hex { u32::from_str_radix(nc, 16).ok() } else { None }
}
