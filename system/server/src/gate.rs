//! What is asked of a request before it means anything: RFC 3261 §8.2.1 to §8.2.3 and §16.3.
//! Pure: a message in, the refusal out. Owns: what we claim in Allow, Accept and Supported, and
//! nothing is claimed that does not work. Does not know: tenants, dialogs.
//!
//! ```text
//!   syntax (endpoint) ▶ hops 483 ▶ merged 482 ▶ tenant, 401, 403 ▶ method 501/405/489
//!                     ▶ Require 420 ▶ body 415 ▶ Accept 406 ▶ the method's own
//! ```
use crate::counters::Count;
use bitspath_sip::wire::{Message, OutResponse};
use bitspath_sip::{HeaderName, Method, Status};

/// Methods that we serve, in the order of our Allow.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER";
/// The one body that we read.
pub const ACCEPT: &str = "application/sdp";
/// Extensions that work here: none yet.
const SUPPORTED: [&str; 0] = [];
/// Event packages that we have: none yet. The header is sent all the same (RFC 6665 §8.2.2).
const EVENTS: &str = "";

/// A refusal and what it is counted as.
pub struct Refusal {
    pub count: Count,
    pub response: OutResponse,
}

/// What one check says; boxed, because most of them pass.
pub type Check = Result<(), Box<Refusal>>;

impl Refusal {
    pub fn new(count: Count, status: Status) -> Box<Refusal> {
        Box::new(Refusal { count, response: OutResponse::new(status) })
    }

    pub fn with(
        mut self: Box<Refusal>,
        name: HeaderName,
        value: impl Into<String>,
    ) -> Box<Refusal> {
        self.response.extra.push((name, value.into()));
        self
    }
}

//= RFC 3261 §16.3
/// No hops left. A request that ends here anyway (§11: OPTIONS to this server; REGISTER; anything
/// within a dialog) needs none.
pub fn hops(msg: &Message) -> Check {
    let ends_here = msg.method() == Method::Register || is_to_server(msg);
    match msg.max_forwards() {
        Some(0) if !ends_here => Err(Refusal::new(Count::RejectedHops, Status(483))),
        _ => Ok(()),
    }
}

//= RFC 3261 §8.2.2.2
/// The same request came by two ways; the first is being served.
pub fn merged(merged: bool) -> Check {
    if merged { Err(Refusal::new(Count::RejectedMerged, Status(482))) } else { Ok(()) }
}

/// OPTIONS to this server itself: a URI without a user part. Never challenged.
pub fn is_to_server(msg: &Message) -> bool {
    msg.method() == Method::Options
        && msg.uri().is_some_and(|uri| uri.is_sip() && uri.user.is_none_or(str::is_empty))
}

//= RFC 3261 §8.2.1
/// Methods: 501 for one that nobody knows, 405 for one that we do not serve, 489 for events.
pub fn method(msg: &Message) -> Check {
    match msg.method() {
        Method::Invite | Method::Bye | Method::Options | Method::Register => Ok(()),
        Method::Ack | Method::Cancel => Ok(()),
        Method::Other => {
            Err(Refusal::new(Count::RejectedUnknown, Status(501)).with(HeaderName::Allow, ALLOW))
        }
        //= RFC 6665 §4.2.1.1
        Method::Subscribe => {
            Err(Refusal::new(Count::RejectedEvent, Status(489))
                .with(HeaderName::AllowEvents, EVENTS))
        }
        _ => Err(Refusal::new(Count::RejectedMethod, Status(405)).with(HeaderName::Allow, ALLOW)),
    }
}

/// What is asked of extensions and body, of every method alike.
pub fn content(msg: &Message) -> Check {
    extensions(msg)?;
    body(msg)?;
    accept(msg)
}

//= RFC 3261 §8.2.2.3
/// Every option tag of Require must be ours, or 420 names those that are not.
fn extensions(msg: &Message) -> Check {
    let foreign: Vec<&str> = msg
        .list(HeaderName::Require)
        .filter(|tag| !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(Count::RejectedExtension, Status(420))
        .with(HeaderName::Unsupported, foreign.join(", ")))
}

//= RFC 3261 §8.2.3
/// A body that must be understood and is not: 415, naming what we read. Bodies of requests that
/// do not use one, and those marked optional, are passed over.
fn body(msg: &Message) -> Check {
    let optional = msg
        .header(HeaderName::ContentDisposition)
        .is_some_and(|d| d.split(';').any(|p| p.trim().eq_ignore_ascii_case("handling=optional")));
    if msg.body().is_empty() || optional || msg.method() != Method::Invite {
        return Ok(());
    }
    let encoded = msg
        .header(HeaderName::ContentEncoding)
        .is_some_and(|e| !e.trim().eq_ignore_ascii_case("identity"));
    if !encoded && msg.is_content_type(ACCEPT) {
        return Ok(());
    }
    let refusal = Refusal::new(Count::RejectedBody, Status(415)).with(HeaderName::Accept, ACCEPT);
    Err(if encoded { refusal.with(HeaderName::AcceptEncoding, "identity") } else { refusal })
}

//= RFC 3261 §20.1
/// A caller that takes no session description from us gets 406.
fn accept(msg: &Message) -> Check {
    if msg.method() != Method::Invite || !msg.has(HeaderName::Accept) {
        return Ok(());
    }
    let takes_sdp = msg.list(HeaderName::Accept).any(|range| {
        let media = range.split(';').next().unwrap_or("").trim();
        ["application/sdp", "application/*", "*/*"].iter().any(|m| media.eq_ignore_ascii_case(m))
    });
    if takes_sdp { Ok(()) } else { Err(Refusal::new(Count::RejectedAccept, Status(406))) }
}

//= RFC 3261 §11.2
/// What we can do, for OPTIONS. Says nothing of any user.
pub fn capabilities() -> OutResponse {
    let mut ok = OutResponse::new(Status(200));
    ok.extra.push((HeaderName::Allow, ALLOW.to_owned()));
    ok.extra.push((HeaderName::Accept, ACCEPT.to_owned()));
    ok.extra.push((HeaderName::Supported, SUPPORTED.join(", ")));
    ok
}
