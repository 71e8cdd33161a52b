//! Requests that a client transaction derives from its own: the ACK to a failure (RFC 3261
//! §17.1.1.3) and the CANCEL (§9.1).
//! Owns: what they copy. The source is our own emission: one header a line, never folded.
//! Does not know: the ACK to a 2xx, which belongs to the dialog.
use crate::method::Method;
use crate::wire::{Emit, HeaderName, Message};
use bitspath_core::Bytes;

//= RFC 3261 §17.1.1.3
/// Request-URI, top Via, From, Call-ID and Route of the INVITE; To of the response.
pub fn for_failure(invite: &Bytes, response: &Message) -> Bytes {
    let to = response.header(HeaderName::To).unwrap_or("");
    derive(invite, Method::Ack, Some(to), None)
}

//= RFC 3261 §9.1
/// All of that and To of the INVITE; the reason is RFC 3326's.
pub fn cancel(invite: &Bytes, reason: Option<&str>) -> Bytes {
    derive(invite, Method::Cancel, None, reason)
}

fn derive(invite: &Bytes, method: Method, to: Option<&str>, reason: Option<&str>) -> Bytes {
    let text = core::str::from_utf8(head(invite)).unwrap_or("");
    let mut lines = text.split("\r\n");
    let uri = lines.next().and_then(|start| start.split(' ').nth(1)).unwrap_or("");
    let mut emit = Emit::request(method.as_str(), uri);
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match HeaderName::parse(name) {
            HeaderName::To => emit.header(HeaderName::To, to.unwrap_or(value)),
            HeaderName::CSeq => {
                let number = value.split(' ').next().unwrap_or("");
                emit.header(HeaderName::CSeq, format_args!("{number} {method}"))
            }
            copied @ (HeaderName::Via
            | HeaderName::MaxForwards
            | HeaderName::From
            | HeaderName::CallId
            | HeaderName::Route) => emit.header(copied, value),
            _ => continue,
        };
    }
    if let Some(reason) = reason {
        emit.header(HeaderName::Reason, reason);
    }
    emit.finish(None)
}

/// Start line and headers, without the empty line and the body.
fn head(message: &Bytes) -> &[u8] {
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(message.len());
    message.get(..end).unwrap_or(message)
}

/// The branch of our own request: it stands in the first line after the start line.
pub fn branch(request: &Bytes) -> &str {
    let text = core::str::from_utf8(head(request)).unwrap_or("");
    let via = text.split("\r\n").nth(1).unwrap_or("");
    let from_branch = via.split_once(";branch=").map_or("", |(_, rest)| rest);
    from_branch.split(';').next().unwrap_or("")
}
