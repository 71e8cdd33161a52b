//! The phone's voice: RTP with a stamp in every payload that names the sender and counts, and the
//! ear that reads stamps and tells whose voice it was. RFC 3550 §5.1.
//! Missing: RTCP, a jitter buffer, real audio.
use super::{Phone, Stage};
use crate::kernel::Cx;
use crate::mix::{Draw, mix};
use crate::peers::sdp::Codec;
use bitspath_core::{Duration, Instant};
use bytes::Bytes;
use std::net::SocketAddr;

/// First octets of a stamped payload.
pub const STAMP: &[u8; 4] = b"BPV1";
const PACKET: Duration = Duration::from_millis(20);
const SAMPLES: u32 = 160;

#[derive(Debug)]
pub(super) struct Talk {
    call: usize,
    packet: Vec<u8>,
    sequence: u16,
    timestamp: u32,
    left: u32,
    count: u32,
    pub next: Instant,
}

/// What was heard on one call from one voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ear {
    pub call: usize,
    /// The number in the stamp; empty for audio without a stamp (tone).
    pub voice: String,
    pub packets: u32,
    pub first: Instant,
    pub last: Instant,
    /// Highest count seen in a stamp.
    pub count: u32,
    pub payload: u8,
}

impl Phone {
    /// Begins to send stamped audio on the newest answered call; false when there is none yet.
    pub fn speak(&mut self, cx: &mut Cx<'_>, codec: Codec, length: Duration) -> bool {
        let found = self.calls.iter().rposition(|c| c.stage != Stage::Over && c.heard.is_some());
        let Some(call) = found else { return false };
        let draw = mix(cx.seed(), u64::from(cx.host.0), call as u64, Draw::Phone);
        let mut packet = vec![0u8; 12 + SAMPLES as usize];
        packet[0] = 0x80;
        packet[1] = codec.payload;
        packet[8..12].copy_from_slice(&((draw >> 32) as u32).to_be_bytes());
        packet[12..16].copy_from_slice(STAMP);
        packet[16] = self.id.number.len().min(15) as u8;
        for (to, from) in packet[17..32].iter_mut().zip(self.id.number.bytes()) {
            *to = from;
        }
        self.talks.push(Talk {
            call,
            packet,
            sequence: draw as u16,
            timestamp: (draw >> 16) as u32,
            left: (length.as_millis() / PACKET.as_millis()) as u32,
            count: 0,
            next: cx.now().mono,
        });
        self.settle();
        true
    }

    pub fn is_speaking(&self) -> bool {
        !self.talks.is_empty()
    }

    pub(super) fn talk(&mut self, cx: &mut Cx<'_>, now: Instant) {
        for t in self.talks.iter_mut().filter(|t| t.next <= now) {
            let Some(call) = self.calls.get(t.call) else { continue };
            let over = call.stage == Stage::Over;
            let Some(heard) = call.heard.as_ref().filter(|_| !over) else {
                t.left = 0;
                continue;
            };
            t.packet[2..4].copy_from_slice(&t.sequence.to_be_bytes());
            t.packet[4..8].copy_from_slice(&t.timestamp.to_be_bytes());
            t.packet[32..36].copy_from_slice(&t.count.to_be_bytes());
            cx.send(call.rtp, heard.audio, Bytes::copy_from_slice(&t.packet));
            t.sequence = t.sequence.wrapping_add(1);
            t.timestamp = t.timestamp.wrapping_add(SAMPLES);
            t.count += 1;
            t.left = t.left.saturating_sub(1);
            t.next += PACKET;
        }
        self.talks.retain(|t| t.left > 0);
    }

    pub(super) fn rtp_came(
        &mut self,
        cx: &mut Cx<'_>,
        _from: SocketAddr,
        to: SocketAddr,
        bytes: &Bytes,
    ) {
        let Some(call) = self.calls.iter().position(|c| c.rtp.port() == to.port()) else { return };
        let Some(payload) = bytes.get(12..) else { return };
        let now = cx.now().mono;
        let stamp = voice_of(payload);
        let (voice, count) = stamp.unwrap_or(("", 0));
        let Some(c) = self.calls.get(call) else { return };
        // Ground truth: only the other party of this call, or myself when an echo answers.
        if !voice.is_empty() && voice != c.party && voice != self.id.number {
            let what = format!("{} hears {voice} in a call with {}", self.id.name, c.party);
            cx.kernel.oracles.broke(now, "media to a wrong party", what);
        }
        let known = self.ears.iter_mut().find(|e| e.call == call && e.voice == voice);
        match known {
            Some(ear) => {
                ear.packets += 1;
                ear.last = now;
                ear.count = ear.count.max(count);
            }
            None => self.ears.push(Ear {
                call,
                voice: voice.to_owned(),
                packets: 1,
                first: now,
                last: now,
                count,
                payload: bytes.get(1).copied().unwrap_or_default() & 0x7F,
            }),
        }
    }
}

/// The number and the count in a stamped payload.
pub fn voice_of(payload: &[u8]) -> Option<(&str, u32)> {
    if payload.get(..4)? != STAMP {
        return None;
    }
    let len = usize::from(*payload.get(4)?);
    let number = std::str::from_utf8(payload.get(5..5 + len)?).ok()?;
    let count = payload.get(20..24)?.first_chunk::<4>()?;
    Some((number, u32::from_be_bytes(*count)))
}
