//! The records of a recording and their octets.
//! Owns: kinds, the layout of one record, the two checksums.  Does not know: files, Nodes.
//!
//! ```text
//!   length u32 │ kind u8 │ check u24 │ payload ... │ xxh3 u64       all little endian
//!   check  = xxh3 of length, kind and record number: a damaged length is never believed
//!   xxh3   = of the payload, seeded with the record number: no record can change its place
//! ```
use bitspath_core::{Frozen, Instant, Now, UnixTime};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// First octets of every segment. No record can begin with them: as a length they are too large.
pub const MAGIC: [u8; 8] = *b"BPVOICE\n";
/// Version of this layout; a reader refuses any other.
pub const VERSION: u16 = 1;
/// Octets before the payload of a record.
pub(super) const HEAD_BYTES: usize = 8;
/// Octets behind it.
pub(super) const TAIL_BYTES: usize = 8;
/// Largest payload, reached only by the checkpoint of a very full Node. Brim: no recording.
pub const PAYLOAD_BYTES_MAX: u32 = 0x4000_0000;

const _: () =
    assert!(u32::from_le_bytes([MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3]]) > PAYLOAD_BYTES_MAX);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Header = 1,
    Checkpoint = 2,
    Input = 3,
    Timeout = 4,
    OutHash = 5,
    Gap = 6,
    Mark = 7,
}

impl Kind {
    pub(super) const fn of(octet: u8) -> Option<Kind> {
        Some(match octet {
            1 => Kind::Header,
            2 => Kind::Checkpoint,
            3 => Kind::Input,
            4 => Kind::Timeout,
            5 => Kind::OutHash,
            6 => Kind::Gap,
            7 => Kind::Mark,
            _ => return None,
        })
    }
}

/// First record of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub version: u16,
    /// Hash of sources, lock file and profile: only the same build replays exactly.
    pub build_id: u64,
    pub node: u8,
    /// Counts up over the life of the data directory.
    pub segment: u64,
    pub opened: Now,
    /// Secrets are struck out: good for reading, not for replaying.
    pub redacted: bool,
}

/// What happened at the Node's door, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `bytes` is the frozen input.
    Input {
        now: Now,
        bytes: Vec<u8>,
    },
    Timeout {
        now: Now,
    },
    /// The trace hash of all outputs since the checkpoint.
    OutHash(u64),
    /// So many frames are missing here; the segment ends.
    Gap {
        lost: u64,
    },
    /// A remark of the person who saved the recording: the call that it is about.
    Mark(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Header(Header),
    Checkpoint(Frozen),
    Frame(Frame),
}

pub(super) fn head_check(length: u32, kind: u8, record: u64) -> [u8; 3] {
    let mut octets = [0u8; 5];
    octets[..4].copy_from_slice(&length.to_le_bytes());
    octets[4] = kind;
    let sum = xxh3_64_with_seed(&octets, record).to_le_bytes();
    [sum[0], sum[1], sum[2]]
}

pub(super) fn payload_sum(payload: &[u8], record: u64) -> u64 {
    xxh3_64_with_seed(payload, record)
}

pub(super) fn put_now(now: Now, out: &mut Vec<u8>) {
    out.extend_from_slice(&now.mono.0.to_le_bytes());
    out.extend_from_slice(&now.wall.0.to_le_bytes());
}

/// The payload of an intact record as what it means; `None` when the kind does not fit it.
pub(super) fn interpret(kind: Kind, payload: Vec<u8>) -> Option<Record> {
    Some(match kind {
        Kind::Header => Record::Header(bitspath_core::freeze::thaw(&payload).ok()?),
        Kind::Checkpoint => Record::Checkpoint(Frozen(payload)),
        Kind::Input => {
            let (now, bytes) = take_now(&payload)?;
            Record::Frame(Frame::Input { now, bytes: bytes.to_vec() })
        }
        Kind::Timeout => match take_now(&payload)? {
            (now, []) => Record::Frame(Frame::Timeout { now }),
            _ => return None,
        },
        Kind::OutHash => Record::Frame(Frame::OutHash(word(&payload)?)),
        Kind::Gap => Record::Frame(Frame::Gap { lost: word(&payload)? }),
        Kind::Mark => Record::Frame(Frame::Mark(String::from_utf8(payload).ok()?)),
    })
}

fn take_now(payload: &[u8]) -> Option<(Now, &[u8])> {
    let (mono, rest) = payload.split_first_chunk::<8>()?;
    let (wall, rest) = rest.split_first_chunk::<8>()?;
    let (mono, wall) = (u64::from_le_bytes(*mono), u64::from_le_bytes(*wall));
    Some((Now { mono: Instant(mono), wall: UnixTime(wall) }, rest))
}

fn word(payload: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(payload.try_into().ok()?))
}
