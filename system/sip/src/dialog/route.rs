//! Route sets — RFC 3261 §12.2.1.1, §16.4, §16.12.
//! Owns: loose and strict routing of what we send, the removal of our own Route from what we get.
//! Does not know: which URIs are ours; it is told.
use crate::wire::{HeaderName, Message, NameAddr, Uri};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

//= RFC 3261 §12.2.1.1
/// Request-URI and Route values for a target behind a route set. A first router without `lr` is a
/// strict one: it becomes the Request-URI and the target goes to the end of the routes.
pub fn lead(target: &str, routes: &[String]) -> (String, Vec<String>) {
    let first = routes.first().and_then(|value| NameAddr::parse(value).ok());
    match first.and_then(|value| value.uri().ok()) {
        Some(router) if router.param("lr").is_none() => {
            let mut rest: Vec<String> = routes.iter().skip(1).cloned().collect();
            rest.push(format!("<{target}>"));
            (request_uri(&router), rest)
        }
        _ => (target.to_string(), routes.to_vec()),
    }
}

/// Without what may not stand in a Request-URI (§19.1.1): a `method` parameter and headers.
fn request_uri(uri: &Uri<'_>) -> String {
    let text = uri.to_string();
    let text = text.split('?').next().unwrap_or("");
    let mut pieces = text.split(';');
    let mut plain = String::from(pieces.next().unwrap_or(""));
    for piece in pieces.filter(|p| !is_method(p)) {
        plain.push(';');
        plain.push_str(piece);
    }
    plain
}

fn is_method(param: &str) -> bool {
    param.split('=').next().unwrap_or("").trim().eq_ignore_ascii_case("method")
}

/// Where a request that reached us was routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The Request-URI that counts: the last Route when a strict router has put us into the
    /// Request-URI.
    pub uri: String,
    /// Route values that remain after our own; not empty: somebody else is meant to be next.
    pub rest: Vec<String>,
}

//= RFC 3261 §16.4
/// Takes our own Route off a request. `is_me` says whether a URI names this server (host and
/// port); `is_mine` whether a Request-URI is one that we put into a Record-Route.
pub fn routed(
    request: &Message,
    is_me: impl Fn(&Uri<'_>) -> bool,
    is_mine: impl Fn(&Uri<'_>) -> bool,
) -> Routed {
    let mut rest: Vec<String> = request.list(HeaderName::Route).map(String::from).collect();
    let mut uri = request.uri_text().to_string();
    if request.uri().is_some_and(|uri| is_mine(&uri))
        && let Some(last) = rest.pop()
    {
        uri = NameAddr::parse(&last).map_or(uri, |value| value.uri_text.to_string());
    }
    let own = rest.iter().take_while(|value| {
        NameAddr::parse(value).ok().and_then(|v| v.uri().ok()).is_some_and(|uri| is_me(&uri))
    });
    let own = own.count();
    rest.drain(..own);
    Routed { uri, rest }
}
