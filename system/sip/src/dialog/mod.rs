//! Dialogs — RFC 3261 §12, as both sides keep them.
//! Owns: identity, route set, remote target, both sequences; requests made from them.
//! Does not know: transactions, flows, offers; when a dialog ends.
//! Missing: SIPS ("secure flag"), early dialogs of a forked INVITE are one `Dialog` each.
//!
//! ```text
//!   UAS  INVITE + our tag ─▶ early ──2xx──▶ confirmed ──BYE──▶ (dropped by its owner)
//!   UAC  1xx with To tag ──▶ early ──2xx──▶ confirmed
//! ```
pub mod accepted;
pub mod route;
#[cfg(test)]
mod tests;

pub use accepted::Accepted;

use crate::method::Method;
use crate::status::Status;
use crate::wire::{HeaderName, Message, NameAddr, OutRequest};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use serde::{Deserialize, Serialize};

/// RFC 3261 §12: what tells one dialog from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
}

impl Key {
    /// The dialog that an incoming request belongs to: its To tag is ours.
    pub fn of_request(request: &Message) -> Key {
        Key {
            call_id: request.call_id().to_string(),
            local_tag: request.to_tag().unwrap_or("").to_string(),
            remote_tag: request.from_tag().unwrap_or("").to_string(),
        }
    }

    /// The dialog that a response to our request belongs to: its From tag is ours.
    pub fn of_response(response: &Message) -> Key {
        Key {
            call_id: response.call_id().to_string(),
            local_tag: response.from_tag().unwrap_or("").to_string(),
            remote_tag: response.to_tag().unwrap_or("").to_string(),
        }
    }
}

/// Well-formed and declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// RFC 3261 §12.2.2: the CSeq is lower than one that we have seen.
    OldCSeq,
}

impl Refusal {
    pub const fn status(self) -> Status {
        match self {
            Refusal::OldCSeq => Status::SERVER_ERROR,
        }
    }
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::OldCSeq => "CSeq Out Of Order",
        }
    }
}

/// One dialog, seen from here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
    /// Our From value without its tag.
    pub local: String,
    /// Our To value without its tag.
    pub remote: String,
    /// The remote target: the URI of the peer's Contact.
    pub target: String,
    /// Route values from the top, each as `<uri>`.
    pub routes: Vec<String>,
    /// The last one that we used; 0 before the first.
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    pub early: bool,
}

impl Dialog {
    //= RFC 3261 §12.1.1
    /// The callee's side, from the request and the tag that our response carries.
    pub fn uas(request: &Message, local_tag: &str) -> Dialog {
        Dialog {
            call_id: request.call_id().to_string(),
            local_tag: local_tag.to_string(),
            remote_tag: request.from_tag().unwrap_or("").to_string(),
            local: untagged(request.header(HeaderName::To).unwrap_or("")),
            remote: untagged(request.header(HeaderName::From).unwrap_or("")),
            target: contact_uri(request).unwrap_or_else(|| request.from().uri_text.to_string()),
            routes: request.list(HeaderName::RecordRoute).map(String::from).collect(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()),
            early: true,
        }
    }

    //= RFC 3261 §12.1.2
    /// The caller's side, from our request and a response with a To tag: routes reversed.
    pub fn uac(request: &OutRequest, response: &Message) -> Dialog {
        let local_tag = NameAddr::parse(&request.from).ok().and_then(|from| from.tag());
        Dialog {
            call_id: request.call_id.clone(),
            local_tag: local_tag.unwrap_or("").to_string(),
            remote_tag: response.to_tag().unwrap_or("").to_string(),
            local: untagged(&request.from),
            remote: untagged(&request.to),
            target: contact_uri(response).unwrap_or_else(|| request.uri.clone()),
            routes: reversed_routes(response),
            local_cseq: request.cseq,
            remote_cseq: None,
            early: !response.status().is_some_and(Status::is_success),
        }
    }

    //= RFC 3261 §13.2.2.4
    /// A 2xx confirms the caller's early dialog: route set and target are taken from it anew.
    pub fn confirm(&mut self, response: &Message) {
        self.early = false;
        self.routes = reversed_routes(response);
        self.refresh_target(response);
    }

    pub fn key(&self) -> Key {
        Key {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
        }
    }

    //= RFC 3261 §12.2.1.1
    /// The next request in this dialog. The one authority over our CSeq: every call moves it.
    pub fn request(
        &mut self,
        method: Method,
        contact: Option<String>,
        max_forwards: u8,
    ) -> OutRequest {
        // 2^31 requests in one dialog: the peer would refuse the next one, and rightly.
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.compose(method, self.local_cseq, contact, max_forwards)
    }

    //= RFC 3261 §13.2.2.4
    /// The ACK to a 2xx: the CSeq of the INVITE, the routes of the dialog.
    pub fn ack(&self, invite_cseq: u32) -> OutRequest {
        self.compose(Method::Ack, invite_cseq, None, 70)
    }

    fn compose(
        &self,
        method: Method,
        cseq: u32,
        contact: Option<String>,
        max_forwards: u8,
    ) -> OutRequest {
        let (uri, routes) = route::lead(&self.target, &self.routes);
        OutRequest {
            method,
            uri,
            routes,
            from: tagged(&self.local, &self.local_tag),
            to: tagged(&self.remote, &self.remote_tag),
            call_id: self.call_id.clone(),
            cseq,
            contact,
            max_forwards,
            extra: vec![],
            body: None,
        }
    }

    //= RFC 3261 §12.2.2
    /// Takes a request of the peer in, or refuses one that is out of order. ACK and CANCEL carry
    /// the number of their INVITE and are not asked.
    pub fn accept(&mut self, request: &Message) -> Result<(), Refusal> {
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return Ok(());
        }
        if self.remote_cseq.is_some_and(|seen| request.cseq() < seen) {
            return Err(Refusal::OldCSeq);
        }
        self.remote_cseq = Some(request.cseq());
        Ok(())
    }

    //= RFC 3261 §12.2.1.2
    //= RFC 3261 §12.2.2
    /// A target refresh (INVITE, UPDATE, SUBSCRIBE, NOTIFY, REFER: request or 2xx) moves the
    /// remote target to its Contact.
    pub fn refresh_target(&mut self, message: &Message) {
        let refreshes = matches!(
            message.method(),
            Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
        );
        let counts = message.is_request() || message.status().is_some_and(|s| s.class() <= 2);
        if let (true, true, Some(uri)) = (refreshes, counts, contact_uri(message)) {
            self.target = uri;
        }
    }
}

fn contact_uri(message: &Message) -> Option<String> {
    let contact = message.contacts().first()?;
    (!contact.uri_text.is_empty()).then(|| contact.uri_text.to_string())
}

fn reversed_routes(response: &Message) -> Vec<String> {
    let mut routes: Vec<String> =
        response.list(HeaderName::RecordRoute).map(String::from).collect();
    routes.reverse();
    routes
}

/// A From or To value with this tag; an empty one (RFC 2543 peers) adds nothing.
pub fn tagged(value: &str, tag: &str) -> String {
    match tag {
        "" => value.to_string(),
        _ => format!("{value};tag={tag}"),
    }
}

/// A From or To value without its tag, in brackets so that a tag can follow; other parameters of
/// the header stay.
pub fn untagged(value: &str) -> String {
    let Ok(address) = NameAddr::parse(value) else { return value.to_string() };
    let mut text = String::with_capacity(value.len() + 2);
    if !address.display.is_empty() {
        text.push_str(address.display);
        text.push(' ');
    }
    text.push('<');
    text.push_str(address.uri_text);
    text.push('>');
    for (name, value) in address.params.iter() {
        if name.eq_ignore_ascii_case("tag") {
            continue;
        }
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}
