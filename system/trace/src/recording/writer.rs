//! Records to octets. The caller decides where they go and when: nothing here waits for a disk.
use super::frame::{Frame, Header, Kind, MAGIC, head_check, payload_sum, put_now};
use bitspath_core::freeze::freeze_into;
use bitspath_core::{Frozen, Now};
use serde::Serialize;

/// Appends records to a buffer that the caller takes away batch by batch.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    /// Number of the next record in this segment; the header is 0.
    record: u64,
    /// The same when the buffer was last taken.
    taken: u64,
    /// Inputs and timeouts in the buffer.
    frames: u64,
}

impl Encoder {
    /// Begins a segment: magic, header, checkpoint.
    pub fn begin(&mut self, header: &Header, checkpoint: &Frozen) {
        self.header(header);
        self.put(Kind::Checkpoint, |out| out.extend_from_slice(&checkpoint.0));
    }

    /// Begins a segment without a checkpoint, as a redacted recording has it.
    pub fn header(&mut self, header: &Header) {
        self.out.extend_from_slice(&MAGIC);
        self.record = 0;
        self.put(Kind::Header, |out| *out = freeze_into(header, std::mem::take(out)));
    }

    pub fn input<I: Serialize>(&mut self, now: Now, input: &I) {
        self.put(Kind::Input, |out| {
            put_now(now, out);
            *out = freeze_into(input, std::mem::take(out));
        });
    }

    pub fn timeout(&mut self, now: Now) {
        self.put(Kind::Timeout, |out| put_now(now, out));
    }

    pub fn out_hash(&mut self, hash: u64) {
        self.put(Kind::OutHash, |out| out.extend_from_slice(&hash.to_le_bytes()));
    }

    pub fn gap(&mut self, lost: u64) {
        self.put(Kind::Gap, |out| out.extend_from_slice(&lost.to_le_bytes()));
    }

    /// A frame as the reader gave it.
    pub fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Input { now, bytes } => self.put(Kind::Input, |out| {
                put_now(*now, out);
                out.extend_from_slice(bytes);
            }),
            Frame::Timeout { now } => self.timeout(*now),
            Frame::OutHash(hash) => self.out_hash(*hash),
            Frame::Gap { lost } => self.gap(*lost),
            Frame::Mark(text) => self.put(Kind::Mark, |out| out.extend_from_slice(text.as_bytes())),
        }
    }

    /// Octets waiting to be taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was encoded since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken = self.record;
        self.frames = 0;
        std::mem::take(&mut self.out)
    }

    /// Forgets what was not taken, as if it had never been; says how many frames that were.
    pub fn forget(&mut self) -> u64 {
        self.record = self.taken;
        self.out.clear();
        std::mem::take(&mut self.frames)
    }

    fn put(&mut self, kind: Kind, payload: impl FnOnce(&mut Vec<u8>)) {
        let head_at = self.out.len();
        self.out.extend_from_slice(&[0; 8]);
        let body_at = self.out.len();
        payload(&mut self.out);
        let body = self.out.get(body_at..).unwrap_or_default();
        // A payload of 4 GiB cannot be: PAYLOAD_BYTES_MAX is far below, and the reader checks it.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let sum = payload_sum(body, self.record);
        let check = head_check(length, kind as u8, self.record);
        let mut head = [0u8; 8];
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4] = kind as u8;
        head[5..].copy_from_slice(&check);
        if let Some(place) = self.out.get_mut(head_at..body_at) {
            place.copy_from_slice(&head);
        }
        self.out.extend_from_slice(&sum.to_le_bytes());
        self.record += 1;
        self.frames += u64::from(matches!(kind, Kind::Input | Kind::Timeout));
    }
}
