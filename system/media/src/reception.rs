//! What a receiver counts of one source, RFC 3550 §A.1 (sequence), §A.3 (loss), §A.8 (jitter).
//! [`Reception`] is touched by every packet; [`Restarts`] only when the source begins anew.
//! Missing: probation (the latch decides who is believed) and clocks other than 8000 Hz.
use crate::wire::{Head, SeqNo};
use serde::{Deserialize, Serialize};

/// RFC 3550 §A.1: a larger step forward, or back, is a source that began anew.
const DROPOUT_MAX: u64 = 3000;
const MISORDER_MAX: u64 = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reception {
    pub highest: SeqNo,
    pub packets: u64,
    pub octets: u64,
    /// Arrival less timestamp of the last packet, in timestamp units.
    transit: u32,
    /// Sixteen times the jitter, as in §A.8.
    jitter16: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restarts {
    base: SeqNo,
    /// Expected before `base`.
    expected: u64,
    /// After a jump: the number that would prove it.
    suspect: Option<u16>,
}

impl Reception {
    /// Counts one packet; `arrival` is in timestamp units. False when its number does not follow.
    #[inline]
    pub fn count(&mut self, head: &Head, octets: usize, arrival: u32) -> bool {
        self.packets += 1;
        self.octets += octets as u64;
        //= RFC 3550 §A.8
        let transit = arrival.wrapping_sub(head.time.0);
        let d = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        // A jump of the clock (a new talkspurt's offset, a hold) is not jitter.
        if d < 8000 {
            self.jitter16 = self.jitter16 + d - ((self.jitter16 + 8) >> 4);
        }
        //= RFC 3550 §A.1
        let seq = self.highest.nearest(head.seq);
        if seq > self.highest {
            if seq.0 - self.highest.0 >= DROPOUT_MAX {
                return false;
            }
            self.highest = seq;
            return true;
        }
        self.highest.0 - seq.0 < MISORDER_MAX
    }

    /// In microseconds at 8000 Hz.
    pub fn jitter_us(&self) -> u64 {
        u64::from(self.jitter16 >> 4) * 125
    }
}

impl Restarts {
    /// A new source: numbers begin at this one.
    pub fn begin(&mut self, rx: &mut Reception, head: &Head, arrival: u32) {
        self.expected = self.expected_until(rx);
        rx.highest = SeqNo(u64::from(head.seq));
        rx.transit = arrival.wrapping_sub(head.time.0);
        self.base = rx.highest;
        self.suspect = None;
    }

    /// A number that does not follow: believed when the next one follows it.
    #[cold]
    pub fn jumped(&mut self, rx: &mut Reception, head: &Head, arrival: u32) {
        if self.suspect == Some(head.seq) {
            self.begin(rx, head, arrival);
        } else {
            self.suspect = Some(head.seq.wrapping_add(1));
        }
    }

    pub fn lost(&self, rx: &Reception) -> u64 {
        self.expected_until(rx).saturating_sub(rx.packets)
    }

    fn expected_until(&self, rx: &Reception) -> u64 {
        match rx.packets {
            0 => 0,
            _ => self.expected + rx.highest.0 + 1 - self.base.0.min(rx.highest.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{RtpTime, Ssrc};
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn head(seq: u64) -> Head {
        let time = RtpTime((seq as u32).wrapping_mul(160));
        Head { marker: false, pt: 0, seq: seq as u16, time, ssrc: Ssrc(1) }
    }

    fn receive(seqs: impl IntoIterator<Item = u64>) -> (Reception, Restarts) {
        let (mut rx, mut cold) = (Reception::default(), Restarts::default());
        for (i, seq) in seqs.into_iter().enumerate() {
            let arrival = (i as u32).wrapping_mul(160);
            if i == 0 {
                cold.begin(&mut rx, &head(seq), arrival);
            }
            if !rx.count(&head(seq), 172, arrival) {
                cold.jumped(&mut rx, &head(seq), arrival);
            }
        }
        (rx, cold)
    }

    proptest! {
        /// Model: the set of numbers that were sent, less those that came.
        #[test]
        fn loss_is_what_was_sent_less_what_came(
            start in 0u64..70_000, keep in proptest::collection::vec(0u8..10, 2..400),
        ) {
            let mut came: BTreeSet<u64> = (0..keep.len() as u64)
                .filter(|i| keep[*i as usize] != 0).map(|i| start + i).collect();
            came.insert(start);
            let last = *came.last().expect("one at least");
            let (rx, cold) = receive(came.iter().copied());
            prop_assert_eq!(cold.lost(&rx), last - start + 1 - came.len() as u64);
        }
    }

    //= RFC 3550 §A.1 type=test
    #[test]
    fn a_source_that_begins_anew_is_not_counted_as_lost() {
        let (rx, cold) = receive((100..200).chain(40_000..40_100));
        assert!(cold.lost(&rx) <= 2, "{}", cold.lost(&rx));
        assert_eq!(rx.packets, 200);
    }

    //= RFC 3550 §A.8 type=test
    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_has() {
        let (even, _) = receive(0..500);
        assert_eq!(even.jitter_us(), 0);
        let mut rx = Reception::default();
        for seq in 0..2000u64 {
            let late = if seq % 2 == 0 { 0 } else { 80 };
            rx.count(&head(seq), 172, (seq as u32) * 160 + late);
        }
        // Every step is 10 ms off.
        assert!((9_000..=10_500).contains(&rx.jitter_us()), "{}", rx.jitter_us());
    }
}
