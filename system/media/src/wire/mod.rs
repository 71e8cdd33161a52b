//! RTP and RTCP on the wire, RFC 3550: a Repr per packet, parse and emit, one line by Display.
//! Strict where the RFC's own validity checks (A.1, A.2) reject; unknown things survive.
use core::fmt;

pub mod rtcp;
pub mod rtp;

pub use rtcp::Compound;
pub use rtp::{Head, Packet, RtpTime, SeqNo, Ssrc};

/// The peer sent what is not RTP or RTCP: where, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    pub offset: usize,
    pub expected: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}, expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for Error {}

const fn expected<T>(offset: usize, expected: &'static str) -> Result<T, Error> {
    Err(Error { offset, expected })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_be_bytes(*b))
}

/// Writes from the front of a buffer; short room makes the whole emission fail, never half of it
/// count.
struct Writer<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    fn new(room: &'a mut [u8]) -> Self {
        Writer { room, at: 0 }
    }
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at.checked_add(bytes.len())?;
        self.room.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }
    fn zeros(&mut self, count: usize) -> Option<()> {
        let end = self.at.checked_add(count)?;
        self.room.get_mut(self.at..end)?.fill(0);
        self.at = end;
        Some(())
    }
}
