//! Answers to a 2xx that nobody waits for: a fork that lost, or a call that is gone — RFC 3261
//! §13.2.2.4. Everything needed stands in the 2xx itself, so nothing is remembered for it.
//!
//!   2xx ─▶ ACK, then BYE in the dialog that it made
use crate::leg::MAX_FORWARDS;
use alloc::string::ToString;
use bitspath_sip::Method;
use bitspath_sip::dialog::Dialog;
use bitspath_sip::wire::{Message, OutRequest};

/// The ACK and the BYE for a 2xx to an INVITE of ours; `None` for anything else.
pub fn ack_and_bye(msg: &Message) -> Option<(OutRequest, OutRequest)> {
    if !msg.status()?.is_success() || msg.method() != Method::Invite {
        return None;
    }
    let mut dialog = Dialog::uac(&asked(msg), msg);
    let ack = dialog.ack(msg.cseq());
    Some((ack, dialog.request(Method::Bye, None, MAX_FORWARDS)))
}

/// The INVITE as its response reflects it.
fn asked(msg: &Message) -> OutRequest {
    OutRequest {
        method: Method::Invite,
        uri: msg.to().uri_text.to_string(),
        routes: alloc::vec::Vec::new(),
        from: msg.from().text.to_string(),
        to: msg.to().text.to_string(),
        call_id: msg.call_id().to_string(),
        cseq: msg.cseq(),
        contact: None,
        max_forwards: MAX_FORWARDS,
        extra: alloc::vec::Vec::new(),
        body: None,
    }
}
