//! Errors that blame the sender: what was expected, and where.
use super::message::Message;
use crate::status::Status;
use alloc::boxed::Box;
use core::fmt;

/// The text of a view is not what the grammar asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    pub offset: usize,
    pub expected: &'static str,
}

impl Error {
    pub const fn new(offset: usize, expected: &'static str) -> Error {
        Error { offset, expected }
    }
    /// The same error seen from a text that begins `by` octets earlier.
    pub const fn shifted(self, by: usize) -> Error {
        Error { offset: self.offset + by, expected: self.expected }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}, expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for Error {}

/// Why a message cannot be accepted.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The answer; `None`: drop silently (a response, an ACK, garbage, nowhere to answer to).
    pub status: Option<Status>,
    pub offset: usize,
    pub expected: &'static str,
    /// What could be indexed, so that a stateless answer can copy Via, From, To, Call-ID and CSeq.
    /// Always there when `status` is. Its views never panic; malformed ones come out empty.
    pub partial: Option<Box<Message>>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}, ")?,
            None => f.write_str("drop, ")?,
        }
        write!(f, "offset {}, expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for Rejected {}
