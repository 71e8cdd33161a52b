//! A synchronization source of our own: its SSRC and its first sequence number and timestamp are
//! unpredictable, RFC 3550 §5.1, and come from keyed entropy, so that a run can be repeated.
use crate::command::StreamId;
use crate::wire::{Head, RtpTime, SeqNo, Ssrc};
use bitspath_core::{Entropy, Purpose};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    ssrc: Ssrc,
    seq: SeqNo,
    /// The timestamp of the next packet.
    pub time: RtpTime,
}

impl Source {
    /// The `n`-th source that a stream has been given.
    pub fn mint(entropy: &Entropy, stream: StreamId, n: u64) -> Self {
        let draw = |purpose| entropy.at(purpose, stream.0, n);
        Source {
            ssrc: Ssrc(draw(Purpose::Ssrc) as u32),
            seq: SeqNo(draw(Purpose::RtpSequence) & 0xffff),
            time: RtpTime(draw(Purpose::RtpTime) as u32),
        }
    }

    /// The next packet's header. Its number is used up, its timestamp is not.
    pub fn next(&mut self, pt: u8, marker: bool) -> Head {
        self.seq = SeqNo(self.seq.0 + 1);
        Head { marker, pt, seq: self.seq.wire(), time: self.time, ssrc: self.ssrc }
    }
}
