//! Typed messages that the floors above hand to the endpoint: RFC 3261 §8.1.1, §8.2.6.
//! Owns: which headers a request has and which ones a response copies.
//! Does not know: branches, tags, where it goes; the endpoint gives those.
use super::emit::Emit;
use super::header::HeaderName;
use super::message::Message;
use crate::method::Method;
use crate::status::Status;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Display;
use serde::{Deserialize, Serialize};

/// A body with its media type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Body {
    pub content_type: String,
    pub bytes: Bytes,
}

impl Body {
    pub fn sdp(bytes: Bytes) -> Body {
        Body { content_type: String::from("application/sdp"), bytes }
    }

    fn parts(body: &Option<Body>) -> Option<(&str, &[u8])> {
        body.as_ref().map(|b| (b.content_type.as_str(), &b.bytes[..]))
    }
}

/// A request without its Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutRequest {
    pub method: Method,
    pub uri: String,
    /// Route values from the top, each as `<uri>`.
    pub routes: Vec<String>,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    /// The whole value, brackets and parameters included.
    pub contact: Option<String>,
    pub max_forwards: u8,
    pub extra: Vec<(HeaderName, String)>,
    pub body: Option<Body>,
}

impl OutRequest {
    /// The request on the wire, under this Via value.
    pub fn emit(&self, via: impl Display) -> Bytes {
        let mut emit = Emit::request(self.method.as_str(), &self.uri);
        emit.header(HeaderName::Via, via);
        for route in &self.routes {
            emit.header(HeaderName::Route, route);
        }
        emit.header(HeaderName::MaxForwards, self.max_forwards)
            .header(HeaderName::From, &self.from)
            .header(HeaderName::To, &self.to)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{} {}", self.cseq, self.method));
        if let Some(contact) = &self.contact {
            emit.header(HeaderName::Contact, contact);
        }
        for (name, value) in &self.extra {
            emit.header(*name, value);
        }
        emit.finish(Body::parts(&self.body))
    }
}

/// A response without what it copies from its request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutResponse {
    pub status: Status,
    pub reason: Option<String>,
    /// Added to To where the request has no tag.
    pub to_tag: Option<String>,
    pub contact: Option<String>,
    pub extra: Vec<(HeaderName, String)>,
    pub body: Option<Body>,
}

impl OutResponse {
    pub const fn new(status: Status) -> OutResponse {
        let extra = Vec::new();
        OutResponse { status, reason: None, to_tag: None, contact: None, extra, body: None }
    }

    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> OutResponse {
        self.extra.push((name, value.into()));
        self
    }

    /// The response on the wire: what RFC 3261 §8.2.6.2 copies is copied as it stands.
    /// `record_route`: also that, for a response that makes a dialog (§12.1.1).
    pub fn emit(&self, request: &Message, record_route: bool) -> Bytes {
        let mut emit = Emit::response(self.status, self.reason.as_deref());
        for via in request.headers(HeaderName::Via) {
            emit.header(HeaderName::Via, via);
        }
        for route in request.headers(HeaderName::RecordRoute).filter(|_| record_route) {
            emit.header(HeaderName::RecordRoute, route);
        }
        if let Some(from) = request.header(HeaderName::From) {
            emit.header(HeaderName::From, from);
        }
        let tag = self.to_tag.as_deref().filter(|_| request.to_tag().is_none());
        match (request.header(HeaderName::To), tag) {
            (Some(to), Some(tag)) => emit.header(HeaderName::To, format_args!("{to};tag={tag}")),
            (Some(to), None) => emit.header(HeaderName::To, to),
            (None, _) => &mut emit,
        };
        for name in [HeaderName::CallId, HeaderName::CSeq] {
            if let Some(value) = request.header(name) {
                emit.header(name, value);
            }
        }
        if let Some(contact) = &self.contact {
            emit.header(HeaderName::Contact, contact);
        }
        for (name, value) in &self.extra {
            emit.header(*name, value);
        }
        emit.finish(Body::parts(&self.body))
    }
}
