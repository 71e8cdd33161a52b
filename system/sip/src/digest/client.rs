//! The client's side — RFC 3261 §22.2, RFC 7616 §3.4, RFC 8760 §2.4. For simulated phones and
//! trunks.
use super::algorithm::{Algorithm, Proof};
use crate::wire::auth::ChallengeView;
use crate::wire::params::quote;
use alloc::format;
use alloc::string::String;

/// A challenge that we cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unanswerable {
    /// Not Digest, no realm or nonce, or not to be read.
    Malformed,
    Algorithm,
    /// Only auth-int or stranger.
    Qop,
}

//= RFC 8760 §2.4
/// The topmost challenge that we can answer.
pub fn preferred<'a>(challenges: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    challenges.into_iter().find(|c| Asked::read(c).is_ok())
}

/// The value of Authorization that answers `challenge`. `nc` counts the uses of its nonce from 1.
pub fn answer(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
    nc: u32,
    cnonce: &str,
) -> Result<String, Unanswerable> {
    let Asked { algorithm, realm, nonce, qop, opaque } = Asked::read(challenge)?;
    let nc = format!("{nc:08x}");
    let qop = qop.then_some(("auth", nc.as_str(), cnonce));
    let ha1 = algorithm.ha1(user, &realm, password);
    let response = algorithm.response(&ha1, &Proof { method, uri, nonce: &nonce, qop });
    let (user, realm, nonce, uri) = (quote(user), quote(&realm), quote(&nonce), quote(uri));
    let mut out = format!(
        "Digest username={user}, realm={realm}, nonce={nonce}, uri={uri}, \
         response=\"{response}\", algorithm={algorithm}"
    );
    if qop.is_some() {
        out.push_str(&format!(", cnonce={}, qop=auth, nc={nc}", quote(cnonce)));
    }
    if let Some(opaque) = opaque {
        out.push_str(&format!(", opaque={}", quote(&opaque)));
    }
    Ok(out)
}

struct Asked {
    algorithm: Algorithm,
    realm: String,
    nonce: String,
    qop: bool,
    opaque: Option<String>,
}

impl Asked {
    fn read(challenge: &str) -> Result<Asked, Unanswerable> {
        let view = ChallengeView::parse(challenge).map_err(|_| Unanswerable::Malformed)?;
        let text = |name: &str| view.param(name).map(|v| v.into_owned());
        if !view.is_digest() {
            return Err(Unanswerable::Malformed);
        }
        let named = view.param("algorithm");
        let algorithm = named.as_deref().map_or(Some(Algorithm::Md5), Algorithm::parse);
        let algorithm = algorithm.ok_or(Unanswerable::Algorithm)?;
        let offered = text("qop");
        let qop = match &offered {
            Some(list) if list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(Unanswerable::Qop),
            None => false,
        };
        let realm = text("realm").ok_or(Unanswerable::Malformed)?;
        let nonce = text("nonce").ok_or(Unanswerable::Malformed)?;
        Ok(Asked { algorithm, realm, nonce, qop, opaque: text("opaque") })
    }
}
