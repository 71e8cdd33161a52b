//! Writing messages: RFC 3261 §7, one buffer per message.
//! Owns: line ends, Content-Length, and that no value can smuggle a line end in.
//! Does not know: which headers belong where; `out` does. Order: start line, Via, Max-Forwards,
//! From, To, Call-ID, CSeq, Contact, the rest, Content-Length, body.
use super::header::HeaderName;
use crate::status::Status;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Display, Write};

/// Room for the usual message, so that one allocation is enough.
const ROOM: usize = 1024;

/// A message being written.
#[derive(Clone, Debug)]
pub struct Emit {
    text: Vec<u8>,
}

impl Emit {
    pub fn request(method: &str, uri: &str) -> Emit {
        let mut emit = Emit { text: Vec::with_capacity(ROOM) };
        emit.line(format_args!("{method} {uri} SIP/2.0"));
        emit
    }

    /// Without a phrase of its own the status has its default one.
    pub fn response(status: Status, reason: Option<&str>) -> Emit {
        let mut emit = Emit { text: Vec::with_capacity(ROOM) };
        let reason = reason.unwrap_or(status.reason());
        emit.line(format_args!("SIP/2.0 {:03} {reason}", status.0));
        emit
    }

    /// One header line in the long form. `Other` has no text and writes nothing; see [`Emit::raw`].
    pub fn header(&mut self, name: HeaderName, value: impl Display) -> &mut Emit {
        if name != HeaderName::Other {
            self.line(format_args!("{name}: {value}"));
        }
        self
    }

    pub fn raw(&mut self, name: &str, value: &str) -> &mut Emit {
        self.line(format_args!("{name}: {value}"));
        self
    }

    /// Content-Type (where there is a body), Content-Length, the empty line, the body.
    pub fn finish(mut self, body: Option<(&str, &[u8])>) -> Bytes {
        let (kind, body) = body.unwrap_or(("", &[]));
        if !kind.is_empty() {
            self.header(HeaderName::ContentType, kind);
        }
        self.header(HeaderName::ContentLength, body.len());
        self.text.reserve_exact(2 + body.len());
        self.text.extend_from_slice(b"\r\n");
        self.text.extend_from_slice(body);
        Bytes::from(self.text)
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // The sink below never fails; a Display that does leaves its line cut, still one line.
        let _ = Flat(&mut self.text).write_fmt(line);
        self.text.extend_from_slice(b"\r\n");
    }
}

/// Line breaks become spaces: folds of a copied value, and whatever a name might smuggle.
struct Flat<'a>(&'a mut Vec<u8>);

impl Write for Flat<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let bytes = text.as_bytes();
        if memchr::memchr2(b'\r', b'\n', bytes).is_none() {
            self.0.extend_from_slice(bytes);
        } else {
            let flat = |&b: &u8| if matches!(b, b'\r' | b'\n') { b' ' } else { b };
            self.0.extend(bytes.iter().map(flat));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_bring_a_line_of_its_own() {
        let mut emit = Emit::response(Status::OK, Some("Fine\r\nX: y"));
        emit.header(HeaderName::Subject, "a\r\nb: c\n").header(HeaderName::Other, "gone");
        emit.raw("X-Y", "z");
        let text = emit.finish(Some(("text/plain", b"hi\r\n")));
        let want = "SIP/2.0 200 Fine  X: y\r\nSubject: a  b: c \r\nX-Y: z\r\n\
                    Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nhi\r\n";
        assert_eq!(core::str::from_utf8(&text), Ok(want));
    }

    #[test]
    fn an_empty_body_is_announced_as_such() {
        let text = Emit::request("OPTIONS", "sip:a@b").finish(None);
        assert_eq!(&text[..], b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    }
}
