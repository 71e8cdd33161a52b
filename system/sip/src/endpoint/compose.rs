//! Messages from what the floors above hand down — RFC 3261 §8.1.1, §8.2.6, §12.1.1.
//! Owns: which headers a response copies from its request; the Via that a request gets.
//! Does not know: transactions, flows.
use super::flow::stamped;
use crate::method::Method;
use crate::status::Status;
use crate::wire::{Emit, HeaderName, Message, OutResponse};
use alloc::format;
use alloc::string::String;
use bitspath_core::Bytes;
use core::net::SocketAddr;

//= RFC 3261 §8.2.6.2
/// Via (the top one stamped with where the request came from), From, To, Call-ID and CSeq of the
/// request, whatever they look like; then what the user asked for.
pub fn response(request: &Message, source: SocketAddr, tag: &str, r: &OutResponse) -> Bytes {
    let mut emit = Emit::response(r.status, r.reason.as_deref());
    for (n, via) in request.vias().enumerate() {
        match n {
            0 => emit.header(HeaderName::Via, top_via(request, via, source)),
            _ => emit.header(HeaderName::Via, via),
        };
    }
    copy(&mut emit, request, HeaderName::From);
    if let Some(to) = request.header(HeaderName::To) {
        //= RFC 3261 §8.2.6.2
        // Every response but a 100 carries a To tag.
        match request.to_tag() {
            None if r.status != Status::TRYING => {
                emit.header(HeaderName::To, format_args!("{};tag={tag}", to));
            }
            _ => {
                emit.header(HeaderName::To, to);
            }
        }
    }
    copy(&mut emit, request, HeaderName::CallId);
    copy(&mut emit, request, HeaderName::CSeq);
    if let Some(contact) = &r.contact {
        emit.header(HeaderName::Contact, contact);
    }
    //= RFC 3261 §12.1.1
    // A response that makes a dialog brings every Record-Route back, in order.
    if makes_dialog(request.method(), r.status) {
        for route in request.headers(HeaderName::RecordRoute) {
            emit.header(HeaderName::RecordRoute, route);
        }
    }
    //= RFC 3261 §8.2.6.1
    if r.status == Status::TRYING {
        copy(&mut emit, request, HeaderName::Timestamp);
    }
    for (name, value) in &r.extra {
        emit.header(*name, value);
    }
    emit.finish(r.body.as_ref().map(|b| (b.content_type.as_str(), b.bytes.as_ref())))
}

fn copy(emit: &mut Emit, request: &Message, name: HeaderName) {
    if let Some(value) = request.header(name) {
        emit.header(name, value);
    }
}

fn top_via(request: &Message, text: &str, source: SocketAddr) -> String {
    let via = request.top_via();
    // A Via that cannot be read goes back as it came.
    if via.host.is_empty() { String::from(text) } else { stamped(&via, source) }
}

fn makes_dialog(method: Method, status: Status) -> bool {
    match method {
        Method::Invite => (101..300).contains(&status.0),
        Method::Subscribe | Method::Refer | Method::Notify => status.is_success(),
        _ => false,
    }
}

/// The Via value of a request of ours.
pub fn via(transport: &str, sent_by: &str, branch: &str) -> String {
    //= RFC 3581 §3
    format!("SIP/2.0/{transport} {sent_by};branch={branch};rport")
}
