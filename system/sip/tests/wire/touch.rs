//! Reads everything that can be read of a message, so that nothing of it can panic unseen.
use bitspath_sip::wire::auth::{ChallengeView, Credentials};
use bitspath_sip::wire::date::SipDate;
use bitspath_sip::wire::message::unfold;
use bitspath_sip::wire::{Contacts, NameAddr, OutResponse, Params, Uri, Via};
use bitspath_sip::{HeaderName, Message, Status};
use bytes::Bytes;

/// Parses and reads; what was accepted must keep its promises.
pub fn parse_and_touch(bytes: &[u8]) -> bool {
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(message) => {
            touch(&message);
            promises(&message);
            true
        }
        Err(rejected) => {
            assert!(rejected.offset <= bytes.len().max(65_535), "{rejected}");
            assert!(rejected.status.is_none() || rejected.partial.is_some(), "{rejected}");
            if let Some(partial) = rejected.partial {
                touch(&partial);
                if rejected.status.is_some() {
                    assert!(partial.is_request() && !partial.top_via().host.is_empty());
                    let answer = OutResponse::new(Status::BAD_REQUEST).emit(&partial, true);
                    assert!(answer.starts_with(b"SIP/2.0 400 "));
                }
            }
            false
        }
    }
}

fn touch(m: &Message) {
    let _ = (m.to_string(), m.uri(), m.reason(), m.method_token(), m.body_bytes());
    let _ = (m.max_forwards(), m.expires(), m.is_content_type("application/sdp"));
    for address in [m.from(), m.to()] {
        let _ = (address.uri().map(|u| u.equals(&u)), address.display_name(), address.q());
    }
    if let Contacts::List(list) = m.contacts() {
        for contact in list.take(100) {
            let _ = (contact.uri(), contact.q(), contact.expires());
        }
    }
    let via = m.top_via();
    let _ = (via.received(), via.rport(), via.maddr(), via.branch());
    for name in HeaderName::KNOWN {
        assert_eq!(m.header(name), m.headers(name).next());
        assert_eq!(m.headers(name).count() > 0, m.has(name));
        let _ = m.list(name).take(100).count();
    }
    for (name, value) in m.lines() {
        assert!(m.header_by_name(name).is_some());
        let _ = (unfold(value), NameAddr::parse(value), Via::parse(value), Uri::parse(value));
        let _ = (Credentials::parse(value), ChallengeView::parse(value), SipDate::parse(value));
        let _ = Params::parse(value);
    }
}

/// What every accepted message has, whatever was done to its octets.
fn promises(m: &Message) {
    assert!(!m.call_id().is_empty() && !m.top_via().host.is_empty());
    assert!(!m.from().uri_text.is_empty() && !m.to().uri_text.is_empty());
    assert!(m.from().uri().is_ok() && m.to().uri().is_ok());
    assert!(m.vias().all(|v| Via::parse(v).is_ok()));
    assert_eq!(m.uri().is_some(), m.is_request());
    if m.is_request() {
        assert!(m.header(HeaderName::CSeq).is_some_and(|v| v.ends_with(m.method_token())));
        // Our answer to what we accept is a message that we accept.
        let answer = OutResponse::new(Status::OK).emit(m, true);
        let answer = Message::parse(answer).expect("our own answer");
        assert_eq!((answer.cseq(), answer.method()), (m.cseq(), m.method()));
        assert_eq!(answer.vias().count(), m.vias().count());
    }
    let again = Message::parse(m.bytes().clone()).expect("accepted once");
    assert_eq!(again.to_string(), m.to_string());
}
