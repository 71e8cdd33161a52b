//! Messages out of a stream: RFC 3261 §18.3, §20.14; keep-alives of RFC 5626 §3.5.1.
//! Owns: the octets that have come and are no message yet.  Does not know: connections, credits.
//!
//! ```text
//!   CRLF CRLF ─▶ Ping     CRLF before a start line ─▶ ignored     head + Content-Length ─▶ Message
//! ```
use super::chars;
use super::header::HeaderName;
use super::scan;
use alloc::vec::Vec;
use bitspath_core::limits::SIP_MESSAGE_BYTES_MAX;
use bytes::Bytes;
use core::fmt;
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// What the stream held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, head and body; not yet parsed.
    Message(Bytes),
    /// CRLF CRLF: answer with one CRLF.
    Ping,
}

/// The stream can be followed no further: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Broken {
    /// Head and body exceed `SIP_MESSAGE_BYTES_MAX`.
    TooLong,
    /// No Content-Length: the end of the message is unknown.
    NoLength,
    /// Two of them, or no number.
    BadLength,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::TooLong => "message longer than 65,535 octets",
            Broken::NoLength => "no Content-Length on a stream",
            Broken::BadLength => "Content-Length is not one number",
        })
    }
}

impl core::error::Error for Broken {}

/// Cuts a stream into frames; the same frames however the octets arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Framer {
    held: Vec<u8>,
    /// Octets before this are used up.
    used: usize,
    /// The end of the head has been looked for up to here.
    looked: usize,
    /// The whole length of the message that begins at `used`, once its head has come.
    need: Option<usize>,
    broken: bool,
}

impl Framer {
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Takes octets. Drain [`Framer::next`] after each push: what is left is then no longer than
    /// one message.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        if self.used > 0 {
            self.held.drain(..self.used);
            self.looked -= self.used;
            self.used = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// Octets that are no frame yet.
    pub fn held(&self) -> usize {
        self.held.len() - self.used
    }

    /// The next whole frame; after an error nothing more comes.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Frame, Broken>> {
        if self.broken {
            return None;
        }
        match self.step() {
            Ok(frame) => frame.map(Ok),
            Err(why) => {
                self.broken = true;
                Some(Err(why))
            }
        }
    }

    fn step(&mut self) -> Result<Option<Frame>, Broken> {
        if self.need.is_none() && !self.skip_line_ends() {
            return Ok(self.ping());
        }
        let need = match self.need {
            Some(need) => need,
            None => match self.head()? {
                Some(need) => need,
                None => return Ok(None),
            },
        };
        self.need = Some(need);
        let Some(message) = self.held.get(self.used..self.used + need) else { return Ok(None) };
        let message = Bytes::copy_from_slice(message);
        self.take(need);
        Ok(Some(Frame::Message(message)))
    }

    fn take(&mut self, octets: usize) {
        self.used += octets;
        self.looked = self.used;
        self.need = None;
    }

    /// What has come and is no frame; after an error, what could not be framed.
    pub fn rest(&self) -> &[u8] {
        self.held.get(self.used..).unwrap_or(&[])
    }

    /// Passes single CRLFs. False: nothing, or perhaps a ping, stands there.
    fn skip_line_ends(&mut self) -> bool {
        loop {
            match self.rest() {
                [] | b"\r" | b"\r\n" | b"\r\n\r" | [b'\r', b'\n', b'\r', b'\n', ..] => {
                    return false;
                }
                [b'\r', b'\n', ..] => self.take(2),
                _ => return true,
            }
        }
    }

    fn ping(&mut self) -> Option<Frame> {
        if !self.rest().starts_with(b"\r\n\r\n") {
            return None;
        }
        self.take(4);
        Some(Frame::Ping)
    }

    /// The length of head and body, once the empty line has come.
    fn head(&mut self) -> Result<Option<usize>, Broken> {
        let from = self.looked.max(self.used);
        let fresh = self.held.get(from..).unwrap_or(&[]);
        let Some(end) = memmem::find(fresh, b"\r\n\r\n").map(|i| from + i + 4) else {
            self.looked = self.held.len().saturating_sub(3).max(self.used);
            return match self.held() {
                held if held > SIP_MESSAGE_BYTES_MAX => Err(Broken::TooLong),
                _ => Ok(None),
            };
        };
        let head = self.held.get(self.used..end).unwrap_or(&[]);
        if head.len() > SIP_MESSAGE_BYTES_MAX {
            return Err(Broken::TooLong);
        }
        match content_length(head)?.checked_add(head.len()) {
            Some(need) if need <= SIP_MESSAGE_BYTES_MAX => Ok(Some(need)),
            _ => Err(Broken::TooLong),
        }
    }
}

/// The one Content-Length of a head. Lines that are no headers are passed; the parser blames them.
fn content_length(head: &[u8]) -> Result<usize, Broken> {
    let next_line = |at: usize| {
        let rest = head.get(at..).unwrap_or(&[]);
        memchr::memchr(b'\n', rest).map_or(head.len(), |i| at + i + 1)
    };
    let (mut at, mut found) = (next_line(0), None);
    while at < head.len() {
        match scan::next_line(head, at) {
            Ok(None) => break,
            Ok(Some(line)) => {
                at = line.next;
                if line.name != HeaderName::ContentLength {
                    continue;
                }
                //= RFC 3261 §20.14
                let length = chars::number(line.value.of(head), u64::from(u32::MAX));
                if found.is_some() || length.is_none() {
                    return Err(Broken::BadLength);
                }
                found = length;
            }
            Err(_) => at = next_line(at),
        }
    }
    found.map(|n| n as usize).ok_or(Broken::NoLength)
}

#[cfg(test)]
mod tests;
