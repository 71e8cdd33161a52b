//! The text of WWW-Authenticate — RFC 7616 §3.3, RFC 8760 §2.3.
use super::algorithm::Algorithm;
use super::nonce::Nonces;
use crate::wire::params::quote;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::UnixTime;

/// One challenge, in the order of parameters that every phone of the field reads.
pub fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
    let realm = quote(realm);
    let stale = if stale { ", stale=true" } else { "" };
    format!(r#"Digest realm={realm}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}"#)
}

//= RFC 8760 §2.3
/// The challenges of a tenant, the one it likes best on top; each is a header line of its own.
pub fn challenges(
    nonces: &mut Nonces,
    now: UnixTime,
    realm: &str,
    algorithms: &[Algorithm],
    stale: bool,
) -> Vec<String> {
    algorithms.iter().map(|a| challenge(realm, &nonces.mint(now, realm), *a, stale)).collect()
}
