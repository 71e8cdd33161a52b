//! Octets back to records, each with its place; damage is reported where it is.
//! A recording whose last record is cut off (power cut, still being written) is a normal thing:
//! everything before the cut is good, and the cut says so precisely.
use super::frame::{
    HEAD_BYTES, Kind, MAGIC, PAYLOAD_BYTES_MAX, Record, TAIL_BYTES, VERSION, head_check, interpret,
    payload_sum,
};
use std::fmt;
use std::io::{self, Read};

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// Octets from the beginning of the file.
    pub offset: u64,
    /// Segments before this one in the file.
    pub segment: u64,
    /// Record number within its segment; the header is 0.
    pub record: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, record {}, offset {}", self.segment, self.record, self.offset)
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Not the beginning of a recording.
    Magic,
    /// Another layout, of this version.
    Version(u16),
    /// The head of the record does not agree with its own check.
    Head,
    /// The payload does not agree with its checksum.
    Checksum,
    /// Intact octets that mean nothing.
    Content,
    /// A segment must go header, checkpoint, frames.
    Order,
    /// The file ends inside this record.
    CutOff {
        missing: u64,
    },
    Io(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub place: Place,
    pub wrong: Wrong,
}

impl Damage {
    /// The file merely ends early: what came before is whole.
    pub const fn is_cut_off(&self) -> bool {
        matches!(self.wrong, Wrong::CutOff { .. })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.wrong {
            Wrong::Magic => f.write_str("this is not a recording"),
            Wrong::Version(v) => write!(f, "layout version {v}, this build reads {VERSION}"),
            Wrong::Head => f.write_str("the head of the record is damaged"),
            Wrong::Checksum => f.write_str("the record is damaged (checksum)"),
            Wrong::Content => f.write_str("the record has an intact but meaningless payload"),
            Wrong::Order => f.write_str("the record does not belong here"),
            Wrong::CutOff { missing } => {
                write!(f, "the recording ends inside this record, {missing} octets are missing")
            }
            Wrong::Io(e) => write!(f, "cannot read on: {e}"),
        }
    }
}

impl std::error::Error for Damage {}

/// Reads records one by one; after damage it says no more.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    place: Place,
    /// Octets of the record just read.
    taken: u64,
    started: bool,
    ended: bool,
    redacted: bool,
}

impl<R: Read> Reader<R> {
    pub fn new(from: R) -> Self {
        let place = Place::default();
        Reader { from, place, taken: 0, started: false, ended: false, redacted: false }
    }

    /// The place of the next record.
    pub const fn place(&self) -> Place {
        self.place
    }

    fn step(&mut self) -> Result<Option<(Place, Record)>, Wrong> {
        let mut head = [0u8; HEAD_BYTES];
        match fill(&mut self.from, &mut head)? {
            0 if self.started => return Ok(None),
            0 => return Err(Wrong::Magic),
            n if n < HEAD_BYTES => {
                return Err(
                    if self.started || head.get(..n).is_some_and(|h| MAGIC.starts_with(h)) {
                        Wrong::CutOff { missing: (HEAD_BYTES - n) as u64 }
                    } else {
                        Wrong::Magic
                    },
                );
            }
            _ => {}
        }
        if head == MAGIC {
            self.begin_segment(&mut head)?;
        } else if !self.started {
            return Err(Wrong::Magic);
        }
        let (kind, payload) = self.body(head)?;
        let record = interpret(kind, payload).ok_or(Wrong::Content)?;
        self.check_order(&record)?;
        let place = self.place;
        Ok(Some((place, record)))
    }

    fn begin_segment(&mut self, head: &mut [u8; HEAD_BYTES]) -> Result<(), Wrong> {
        if self.started {
            self.place.segment += 1;
        }
        self.started = true;
        self.place.record = 0;
        self.place.offset += MAGIC.len() as u64;
        match fill(&mut self.from, head)? {
            HEAD_BYTES => Ok(()),
            n => Err(Wrong::CutOff { missing: (HEAD_BYTES - n) as u64 }),
        }
    }

    fn body(&mut self, head: [u8; HEAD_BYTES]) -> Result<(Kind, Vec<u8>), Wrong> {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let check = [head[5], head[6], head[7]];
        if check != head_check(length, head[4], self.place.record) || length > PAYLOAD_BYTES_MAX {
            return Err(Wrong::Head);
        }
        let kind = Kind::of(head[4]).ok_or(Wrong::Content)?;
        let whole = u64::from(length) + TAIL_BYTES as u64;
        let mut payload = Vec::new();
        // Grows with the file, not with what the length claims.
        let got = self.from.by_ref().take(whole).read_to_end(&mut payload).map_err(io_wrong)?;
        if (got as u64) < whole {
            return Err(Wrong::CutOff { missing: whole - got as u64 });
        }
        let sum = payload.split_off(length as usize);
        if sum != payload_sum(&payload, self.place.record).to_le_bytes() {
            return Err(Wrong::Checksum);
        }
        self.taken = HEAD_BYTES as u64 + whole;
        Ok((kind, payload))
    }

    fn check_order(&mut self, record: &Record) -> Result<(), Wrong> {
        match (self.place.record, record) {
            (0, Record::Header(h)) if h.version != VERSION => Err(Wrong::Version(h.version)),
            (0, Record::Header(h)) => {
                self.redacted = h.redacted;
                Ok(())
            }
            (0, _) | (_, Record::Header(_)) => Err(Wrong::Order),
            (1, Record::Checkpoint(_)) => Ok(()),
            (_, Record::Checkpoint(_)) => Err(Wrong::Order),
            // A redacted segment has no checkpoint.
            (1, Record::Frame(_)) if !self.redacted => Err(Wrong::Order),
            (_, Record::Frame(_)) => Ok(()),
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<(Place, Record), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let before = self.place;
        match self.step() {
            Ok(Some((place, record))) => {
                self.place.record += 1;
                self.place.offset += self.taken;
                Some(Ok((place, record)))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(wrong) => {
                self.ended = true;
                let place = if self.started { self.place } else { before };
                Some(Err(Damage { place, wrong }))
            }
        }
    }
}

/// Reads as much of `buf` as there is.
fn fill(from: &mut impl Read, buf: &mut [u8]) -> Result<usize, Wrong> {
    let mut have = 0;
    while let Some(room) = buf.get_mut(have..).filter(|r| !r.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(io_wrong(e)),
        }
    }
    Ok(have)
}

fn io_wrong(e: io::Error) -> Wrong {
    Wrong::Io(e.to_string())
}
