//! The echo of 600: what comes goes back as a stream of our own, one packet per packet time.
//! Owns: a short queue in order of sequence, our own source, pacing. Timestamps keep the distances
//! that the sender gave them, so silence and telephone events stay what they were.
//! Brim: the oldest packet goes. Missing: concealment of lost packets (they are a gap).
//!
//!   idle ─packet─▶ filling (one packet time) ─tick─▶ sending ─queue empty at a tick─▶ idle
use crate::source::Source;
use crate::wire::{Packet, RtpTime, SeqNo, Ssrc};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bitspath_core::limits::ECHO_PACKETS_MAX;
use bitspath_core::{Duration, Instant};
use serde::{Deserialize, Serialize};

const PACKET_TIME: Duration = Duration::from_millis(20);
/// Room that every held packet has from the start: 30 ms of G.711.
const PAYLOAD_BYTES: usize = 240;
/// More than this many waiting: the sender's clock is faster, and ticks come a little sooner.
const BACKLOG: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    seq: SeqNo,
    time: RtpTime,
    pt: u8,
    marker: bool,
    payload: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    source: Source,
    queue: VecDeque<Held>,
    /// Emptied packets, kept for their room.
    spare: Vec<Held>,
    /// The sender's SSRC, highest number seen and last timestamp sent back.
    heard: Option<(Ssrc, SeqNo, RtpTime)>,
    sent: Option<SeqNo>,
    step: Duration,
    /// The next tick; none while idle.
    due: Option<Instant>,
    /// Packets lost at the brim or too late to be sent in order.
    pub dropped: u64,
}

impl Echo {
    pub fn new(source: Source) -> Self {
        let room = || Held {
            seq: SeqNo(0),
            time: RtpTime(0),
            pt: 0,
            marker: false,
            payload: Vec::with_capacity(PAYLOAD_BYTES),
        };
        Echo {
            source,
            queue: VecDeque::with_capacity(ECHO_PACKETS_MAX + 1),
            spare: (0..ECHO_PACKETS_MAX).map(|_| room()).collect(),
            heard: None,
            sent: None,
            step: PACKET_TIME,
            due: None,
            dropped: 0,
        }
    }

    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes a packet in. The first after an idle time starts the clock.
    pub fn take(&mut self, now: Instant, packet: &Packet<'_>) {
        let head = packet.head;
        let seq = match self.heard {
            Some((ssrc, highest, _)) if ssrc == head.ssrc => highest.nearest(head.seq),
            _ => self.begin(packet),
        };
        if self.sent.is_some_and(|sent| seq <= sent) || self.queue.iter().any(|h| h.seq == seq) {
            self.dropped += 1;
            return;
        }
        if let Some(last) = self.queue.back().filter(|last| last.seq.0 + 1 == seq.0) {
            self.learn_step(head.time.since(last.time));
        }
        if self.spare.is_empty() {
            self.spare.extend(self.queue.pop_front());
            self.dropped += 1;
        }
        let Some(mut held) = self.spare.pop() else { return };
        (held.seq, held.time, held.pt, held.marker) = (seq, head.time, head.pt, head.marker);
        held.payload.clear();
        held.payload.extend_from_slice(packet.payload);
        let at = self.queue.iter().rposition(|h| h.seq < seq).map_or(0, |i| i + 1);
        self.queue.insert(at, held);
        if let Some((_, highest, _)) = &mut self.heard {
            *highest = seq.max(*highest);
        }
        self.due.get_or_insert(now + self.step);
    }

    /// A tick: is there a packet to send? An empty queue stops the clock.
    pub fn tick(&mut self, now: Instant) -> bool {
        if self.queue.is_empty() {
            self.due = None;
            return false;
        }
        let early = if self.queue.len() > BACKLOG { self.step / 4 } else { Duration::ZERO };
        let due = self.due.unwrap_or(now) + self.step - early;
        // After a stall the clock starts again from here.
        self.due = Some(if due <= now { now + self.step } else { due });
        true
    }

    /// The packet that a tick announced, when `send`; otherwise it is let go.
    pub fn emit(&mut self, send: bool, room: &mut [u8]) -> Option<usize> {
        let held = self.queue.pop_front()?;
        self.sent = Some(held.seq);
        let mut written = None;
        if let Some((_, _, last)) = &mut self.heard {
            self.source.time = self.source.time.plus(held.time.since(*last) as u32);
            *last = held.time;
        }
        if send {
            let head = self.source.next(held.pt, held.marker);
            written = Packet::new(head, &held.payload).emit(room);
        }
        self.spare.push(held);
        written
    }

    /// A sender that was not heard before: its numbers and timestamps begin here, ours go on.
    fn begin(&mut self, packet: &Packet<'_>) -> SeqNo {
        while let Some(held) = self.queue.pop_front() {
            self.spare.push(held);
            self.dropped += 1;
        }
        // A circle ahead of zero, so that an earlier number that arrives late is still a number.
        let seq = SeqNo(u64::from(packet.head.seq) + 65_536);
        if self.heard.is_some() {
            self.source.time = self.source.time.plus(self.step.as_micros() as u32 / 125);
        }
        self.heard = Some((packet.head.ssrc, seq, packet.head.time));
        self.sent = None;
        seq
    }

    /// Packet time from two timestamps of consecutive packets, when it is one of a voice codec.
    fn learn_step(&mut self, units: i32) {
        if (40..=480).contains(&units) {
            self.step = Duration::from_micros(units as u64 * 125);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::StreamId;
    use crate::wire::Head;
    use bitspath_core::Entropy;

    fn echo() -> Echo {
        Echo::new(Source::mint(&Entropy::new([5; 32]), StreamId(9), 0))
    }
    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }
    fn give(echo: &mut Echo, ms: u64, ssrc: u32, seq: u64, fill: u8) {
        let time = RtpTime((seq as u32).wrapping_mul(160));
        let head = Head { marker: false, pt: 8, seq: seq as u16, time, ssrc: Ssrc(ssrc) };
        echo.take(at(ms), &Packet::new(head, &[fill; 160]));
    }
    /// Runs the clock up to `ms`; what was sent, with the time of each.
    fn run(echo: &mut Echo, ms: u64) -> Vec<(u64, Head, u8)> {
        let mut out = Vec::new();
        while let Some(due) = echo.due().filter(|d| *d <= at(ms)) {
            if echo.tick(due) {
                let mut room = [0; 300];
                let n = echo.emit(true, &mut room).expect("room");
                let packet = Packet::parse(&room[..n]).expect("RTP");
                out.push((due.0 / 1_000_000, packet.head, packet.payload[0]));
            }
        }
        out
    }

    #[test]
    fn packets_come_back_in_order_every_20_ms_as_our_own_source() {
        let mut echo = echo();
        for (ms, seq) in [(0, 65_534), (21, 65_535), (25, 65_537), (44, 65_536), (80, 65_538)] {
            give(&mut echo, ms, 7, seq, seq as u8);
        }
        let out = run(&mut echo, 1000);
        let fills: Vec<u8> = out.iter().map(|(_, _, fill)| *fill).collect();
        assert_eq!(fills, [254, 255, 0, 1, 2]);
        for pair in out.windows(2) {
            let ((t0, a, _), (t1, b, _)) = (pair[0], pair[1]);
            assert!((15..=20).contains(&(t1 - t0)), "{t0} {t1}");
            assert_eq!(b.seq, a.seq.wrapping_add(1));
            assert_eq!(b.time.since(a.time), 160);
            assert!(a.ssrc == b.ssrc && a.ssrc != Ssrc(7));
        }
        assert_eq!(echo.due(), None, "idle again");
    }

    #[test]
    fn a_burst_keeps_only_as_much_as_is_held_and_late_packets_are_let_go() {
        let mut echo = echo();
        (0..20).for_each(|seq| give(&mut echo, 0, 7, seq, seq as u8));
        assert_eq!(echo.dropped, 20 - ECHO_PACKETS_MAX as u64);
        let out = run(&mut echo, 30);
        assert_eq!(out.first().map(|o| o.2), Some(12));
        give(&mut echo, 31, 7, 3, 3);
        assert_eq!(run(&mut echo, 1000).last().map(|o| o.2), Some(19));
    }

    #[test]
    fn a_new_source_goes_on_with_our_numbers() {
        let mut echo = echo();
        give(&mut echo, 0, 7, 10, 1);
        let first = run(&mut echo, 500);
        give(&mut echo, 600, 8, 50_000, 2);
        let second = run(&mut echo, 1000);
        let (a, b) = (first[0].1, second[0].1);
        assert_eq!((b.seq, b.ssrc), (a.seq.wrapping_add(1), a.ssrc));
        assert!(b.time.since(a.time) > 0);
    }
}
