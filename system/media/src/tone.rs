//! The tone of 601: 1004 Hz, the digital test tone of North American practice, at -3 dBm0.
//! 1004 / 8000 = 251 / 2000, so 2000 samples hold exactly 251 periods: one table per law, computed
//! by the compiler with integers, and a packet is a copy from it.
//! Owns: pacing and our own source. Missing: nothing.
use crate::command::Law;
use crate::g711::encode;
use crate::source::Source;
use bitspath_core::limits::TONE_BURST_MAX;
use bitspath_core::{Duration, Instant};
use serde::{Deserialize, Serialize};

const PERIOD: usize = 2000;
const TURNS: usize = 251;
/// Half of full scale.
const PEAK: i64 = 16_384;

static MU: [u8; PERIOD] = table(Law::Mu);
static A: [u8; PERIOD] = table(Law::A);

const fn table(law: Law) -> [u8; PERIOD] {
    let mut out = [0; PERIOD];
    let mut n = 0;
    while n < PERIOD {
        out[n] = encode(law, sample(n * TURNS % PERIOD));
        n += 1;
    }
    out
}

/// PEAK * sin(2 pi step / 2000), from the first quarter.
const fn sample(step: usize) -> i16 {
    let quarter = PERIOD / 4;
    let (sign, step) = if step < PERIOD / 2 { (1, step) } else { (-1, step - PERIOD / 2) };
    let step = if step <= quarter { step } else { PERIOD / 2 - step };
    (sign * ((sine(step as i64) * PEAK) >> 30)) as i16
}

/// sin(pi step / 1000) for a step up to 500, by Taylor's series to x^11, in units of 2^-30.
const fn sine(step: i64) -> i64 {
    const PI: i64 = 3_373_259_426;
    let x = step * PI / 1000;
    let square = (x * x) >> 30;
    let mut term = x;
    let mut sum = x;
    let mut n = 1;
    while n <= 5 {
        term = -((term * square) >> 30) / ((2 * n) * (2 * n + 1));
        sum += term;
        n += 1;
    }
    sum
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tone {
    source: Source,
    pt: u8,
    law: Law,
    /// Samples in a packet: its duration in eighths of a millisecond.
    samples: u16,
    phase: u16,
    /// Nothing sent yet: the first packet carries the marker.
    begun: bool,
    due: Instant,
}

impl Tone {
    /// Packets of `ptime_ms`, held within 10 to 60 ms; 0 means 20.
    pub fn new(now: Instant, source: Source, pt: u8, law: Law, ptime_ms: u8) -> Self {
        let ms = if ptime_ms == 0 { 20 } else { ptime_ms.clamp(10, 60) };
        let samples = u16::from(ms) * 8;
        Tone { source, pt: pt & 0x7f, law, samples, phase: 0, begun: false, due: now }
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// How many packets are to be sent now. After a stall only the last few; the rest is silence.
    pub fn tick(&mut self, now: Instant) -> u32 {
        let step = Duration::from_micros(u64::from(self.samples) * 125);
        let mut count = 0;
        while self.due <= now {
            if now.since(self.due) >= step * TONE_BURST_MAX {
                let behind = now.since(self.due).as_nanos() / step.as_nanos().max(1);
                let skip = (behind as u64).saturating_sub(u64::from(TONE_BURST_MAX) - 1);
                self.due += Duration::from_nanos(step.as_nanos() as u64 * skip);
                self.pass(skip);
            }
            self.due += step;
            count += 1;
        }
        count
    }

    /// One packet's time passes unsent.
    pub fn skip(&mut self) {
        self.pass(1);
    }

    pub fn emit(&mut self, room: &mut [u8]) -> Option<usize> {
        let head = self.source.next(self.pt, !self.begun);
        self.begun = true;
        let at = head.emit(room)?;
        let end = at + usize::from(self.samples);
        let mut payload = room.get_mut(at..end)?;
        let table = match self.law {
            Law::Mu => &MU,
            Law::A => &A,
        };
        let mut phase = usize::from(self.phase);
        while !payload.is_empty() {
            let run = payload.len().min(PERIOD - phase);
            let (now, later) = payload.split_at_mut_checked(run)?;
            now.copy_from_slice(table.get(phase..phase + run)?);
            (payload, phase) = (later, 0);
        }
        self.pass(1);
        Some(end)
    }

    fn pass(&mut self, packets: u64) {
        let samples = u64::from(self.samples).wrapping_mul(packets);
        self.source.time = self.source.time.plus(samples as u32);
        self.phase = ((u64::from(self.phase) + samples) % PERIOD as u64) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::StreamId;
    use crate::g711::decode;
    use crate::wire::Packet;
    use alloc::vec::Vec;
    use bitspath_core::Entropy;

    fn tone(law: Law, ptime_ms: u8) -> Tone {
        let source = Source::mint(&Entropy::new([3; 32]), StreamId(1), 0);
        Tone::new(Instant(0), source, 0, law, ptime_ms)
    }

    /// Share of the power that one frequency has, by the discrete Fourier sum.
    fn share(samples: &[f64], hz: f64) -> f64 {
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, x) in samples.iter().enumerate() {
            let angle = core::f64::consts::TAU * hz * n as f64 / 8000.0;
            re += x * std::primitive::f64::cos(angle);
            im += x * std::primitive::f64::sin(angle);
            all += x * x;
        }
        2.0 * (re * re + im * im) / (samples.len() as f64 * all)
    }

    #[test]
    fn the_tone_is_1004_hz_and_nothing_else_in_both_laws() {
        for law in [Law::Mu, Law::A] {
            let mut tone = tone(law, 30);
            let mut samples = Vec::new();
            while samples.len() < 8000 {
                let mut room = [0; 600];
                let n = tone.emit(&mut room).expect("room");
                let packet = Packet::parse(&room[..n]).expect("RTP");
                samples.extend(packet.payload.iter().map(|c| f64::from(decode(law, *c))));
            }
            let samples = &samples[..8000];
            assert!(share(samples, 1004.0) > 0.998, "{law:?} {}", share(samples, 1004.0));
            let rms = (samples.iter().map(|x| x * x).sum::<f64>() / 8000.0).sqrt();
            let dbm0 = 20.0 * (rms / (32_124.0 / core::f64::consts::SQRT_2)).log10() + 3.17;
            assert!((-3.2..=-2.4).contains(&dbm0), "{dbm0} dBm0");
        }
    }

    #[test]
    fn the_table_is_the_sine_within_one_unit() {
        for step in 0..PERIOD {
            let angle = core::f64::consts::TAU * step as f64 / PERIOD as f64;
            let want = PEAK as f64 * angle.sin();
            assert!((f64::from(sample(step)) - want).abs() <= 1.0, "step {step}");
        }
    }

    #[test]
    fn packets_are_due_every_ptime_and_a_stall_does_not_make_a_flood() {
        let mut tone = tone(Law::Mu, 20);
        assert_eq!(tone.tick(Instant(0)), 1);
        assert_eq!(tone.due(), Instant(20_000_000));
        assert_eq!(tone.tick(Instant(19_999_999)), 0);
        assert_eq!(tone.tick(Instant(40_000_000)), 2);
        let before = tone.source.time;
        let sent = tone.tick(Instant(10_000_000_000));
        assert!(sent <= TONE_BURST_MAX, "{sent}");
        // Time went on: what was not sent is a gap in the timestamps.
        let skipped = tone.source.time.since(before) as u32 / 160;
        assert_eq!(skipped + sent, (10_000 - 40) / 20);
        assert!(tone.due() > Instant(10_000_000_000));
    }

    #[test]
    fn sequence_rises_by_one_and_time_by_the_samples() {
        let mut tone = tone(Law::A, 20);
        let mut room = [0; 200];
        let mut heads = Vec::new();
        for _ in 0..3 {
            let n = tone.emit(&mut room).expect("room");
            heads.push(Packet::parse(&room[..n]).expect("RTP").head);
        }
        assert_eq!(heads[1].seq, heads[0].seq.wrapping_add(1));
        assert_eq!(heads[2].time.since(heads[0].time), 320);
        assert_eq!([heads[0].marker, heads[1].marker], [true, false]);
    }
}
