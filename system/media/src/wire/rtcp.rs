//! RTCP, RFC 3550 §6: compound packets with the validity checks of §A.2.
//! Owns: SR, RR, SDES, BYE, APP; other types (RFC 4585 feedback, RFC 3611 XR) survive as they are.
//! Does not know: report intervals, streams, whether reduced size (RFC 5506) was negotiated.
//!
//!   compound = any , { SR | RR | SDES | BYE | APP | other }      lengths sum to the datagram
//!   |V=2|P|  count  |      PT       |   length in words less one    |
use super::{Error, Ssrc, Writer, be16, be32, be64, expected};
use crate::wire::RtpTime;
use core::fmt;

pub const SR: u8 = 200;
pub const RR: u8 = 201;
pub const SDES: u8 = 202;
pub const BYE: u8 = 203;
pub const APP: u8 = 204;
/// Payload-specific feedback, RFC 4585 §6.3: the last type that is RTCP.
pub const PSFB: u8 = 206;

/// A datagram that has passed the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compound<'a> {
    bytes: &'a [u8],
    /// Who sent it: the SSRC of the first packet.
    pub ssrc: Ssrc,
}

/// One packet of a compound, in views of its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packet<'a> {
    /// §6.4.1.
    SenderReport { ssrc: Ssrc, sender: SenderInfo, reports: Reports<'a> },
    /// §6.4.2.
    ReceiverReport { ssrc: Ssrc, reports: Reports<'a> },
    /// §6.5, as chunks.
    Sdes { count: u8, chunks: &'a [u8] },
    /// §6.6: the leaving sources and, when said, why.
    Bye { sources: &'a [u8], reason: Option<&'a [u8]> },
    /// §6.7 and every type we do not know: the five bits of the header and the body.
    Other { pt: u8, count: u8, body: &'a [u8] },
}

/// What a sender says of itself, §6.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SenderInfo {
    /// Seconds and fraction since 1900.
    pub ntp: u64,
    pub time: RtpTime,
    pub packets: u32,
    pub octets: u32,
}

/// Report blocks of 24 octets and what a profile adds behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reports<'a> {
    blocks: &'a [u8],
    profile: &'a [u8],
}

/// What a receiver says of one source, §6.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    pub ssrc: Ssrc,
    pub fraction_lost: u8,
    /// Signed 24 bits: duplicates make it negative.
    pub lost: i32,
    pub highest: u32,
    pub jitter: u32,
    pub last_sr: u32,
    pub since_last_sr: u32,
}

impl<'a> Compound<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Compound<'a>, Error> {
        //= RFC 3550 §A.2
        // The first is unpadded, all are version 2, the lengths sum up exactly; padding may be
        // only on the last. RFC 5506 §3.4.1 lets a compound begin with any packet, and phones do
        // so (baresip opens its RTCP path with an APP).
        match bytes.first_chunk() {
            None => return expected(bytes.len(), "4 octets of header"),
            Some([b0, _]) if b0 & 0xe0 != 0x80 => return expected(0, "version 2, no padding"),
            Some([_, SR..=PSFB]) => {}
            Some(_) => return expected(1, "an RTCP packet type, 200 to 206"),
        }
        let Some(ssrc) = be32(bytes, 4) else { return expected(bytes.len(), "a source") };
        let mut at = 0;
        while at < bytes.len() {
            let (next, _) = step(bytes, at)?;
            at = next;
        }
        Ok(Compound { bytes, ssrc: Ssrc(ssrc) })
    }

    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + 'a {
        let (bytes, mut at) = (self.bytes, 0);
        core::iter::from_fn(move || {
            let (next, packet) = step(bytes, at).ok()?;
            at = next;
            Some(packet)
        })
    }
}

/// The packet at `at` and the offset behind it.
fn step(bytes: &[u8], at: usize) -> Result<(usize, Packet<'_>), Error> {
    let (Some([b0, pt]), Some(words)) =
        (bytes.get(at..).and_then(|b| b.first_chunk()), be16(bytes, at + 2))
    else {
        return expected(at, "4 octets of header");
    };
    if b0 >> 6 != 2 {
        return expected(at, "version 2");
    }
    let end = at + 4 + 4 * usize::from(words);
    let Some(mut body) = bytes.get(at + 4..end) else {
        return expected(at + 2, "a length within the datagram");
    };
    if b0 & 0x20 != 0 {
        let pad = usize::from(body.last().copied().unwrap_or(0));
        if end != bytes.len() || pad == 0 || pad % 4 != 0 || pad > body.len() {
            return expected(at, "padding in whole words and only at the end");
        }
        body = body.get(..body.len() - pad).unwrap_or(&[]);
    }
    match packet(*pt, b0 & 0x1f, body) {
        Some(packet) => Ok((end, packet)),
        None => expected(at + 4, "a body as long as its count says"),
    }
}

fn packet(pt: u8, count: u8, body: &[u8]) -> Option<Packet<'_>> {
    let reports = |from: usize| {
        let end = from + 24 * usize::from(count);
        Some(Reports { blocks: body.get(from..end)?, profile: body.get(end..)? })
    };
    Some(match pt {
        SR => Packet::SenderReport {
            ssrc: Ssrc(be32(body, 0)?),
            sender: SenderInfo {
                ntp: be64(body, 4)?,
                time: RtpTime(be32(body, 12)?),
                packets: be32(body, 16)?,
                octets: be32(body, 20)?,
            },
            reports: reports(24)?,
        },
        RR => Packet::ReceiverReport { ssrc: Ssrc(be32(body, 0)?), reports: reports(4)? },
        SDES => Packet::Sdes { count, chunks: body },
        BYE => {
            let (sources, rest) = body.split_at_checked(4 * usize::from(count))?;
            let reason = match rest.split_first() {
                Some((n, text)) => Some(text.get(..usize::from(*n))?),
                None => None,
            };
            Packet::Bye { sources, reason }
        }
        _ => Packet::Other { pt, count, body },
    })
}

impl<'a> Reports<'a> {
    pub fn none() -> Reports<'static> {
        Reports { blocks: &[], profile: &[] }
    }
    pub fn iter(&self) -> impl Iterator<Item = Report> + 'a {
        self.blocks.chunks_exact(24).filter_map(Report::parse)
    }
    fn count(&self) -> u8 {
        (self.blocks.len() / 24) as u8
    }
    fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.put(self.blocks)?;
        w.put(self.profile)
    }
}

impl Report {
    fn parse(b: &[u8]) -> Option<Report> {
        let loss = be32(b, 4)?;
        Some(Report {
            ssrc: Ssrc(be32(b, 0)?),
            fraction_lost: (loss >> 24) as u8,
            lost: ((loss << 8) as i32) >> 8,
            highest: be32(b, 8)?,
            jitter: be32(b, 12)?,
            last_sr: be32(b, 16)?,
            since_last_sr: be32(b, 20)?,
        })
    }
}

impl Packet<'_> {
    /// Writes one packet without padding; octets written, or `None` when the room is too small.
    pub fn emit(&self, room: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(room);
        w.zeros(4)?;
        let (pt, count) = match self {
            Packet::SenderReport { ssrc, sender, reports } => {
                w.put(&ssrc.0.to_be_bytes())?;
                w.put(&sender.ntp.to_be_bytes())?;
                w.put(&sender.time.0.to_be_bytes())?;
                w.put(&sender.packets.to_be_bytes())?;
                w.put(&sender.octets.to_be_bytes())?;
                reports.emit(&mut w)?;
                (SR, reports.count())
            }
            Packet::ReceiverReport { ssrc, reports } => {
                w.put(&ssrc.0.to_be_bytes())?;
                reports.emit(&mut w)?;
                (RR, reports.count())
            }
            Packet::Sdes { count, chunks } => {
                w.put(chunks)?;
                (SDES, *count)
            }
            Packet::Bye { sources, reason } => {
                w.put(sources)?;
                if let Some(reason) = reason {
                    w.put(&[u8::try_from(reason.len()).ok()?])?;
                    w.put(reason)?;
                }
                (BYE, (sources.len() / 4) as u8)
            }
            Packet::Other { pt, count, body } => {
                w.put(body)?;
                (*pt, *count)
            }
        };
        w.zeros(w.at.next_multiple_of(4) - w.at)?;
        let (end, words) = (w.at, (w.at / 4 - 1) as u16);
        let mut w = Writer::new(room);
        w.put(&[0x80 | count & 0x1f, pt])?;
        w.put(&words.to_be_bytes())?;
        Some(end)
    }
}

impl fmt::Display for Compound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RTCP")?;
        self.packets().try_for_each(|p| write!(f, " {p}"))
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packet::SenderReport { ssrc, sender, reports } => {
                let (packets, octets, time) = (sender.packets, sender.octets, sender.time.0);
                write!(f, "SR ssrc={:08x} packets={packets} octets={octets} time={time}", ssrc.0)?;
                reports.iter().try_for_each(|r| write!(f, " {r}"))
            }
            Packet::ReceiverReport { ssrc, reports } => {
                write!(f, "RR ssrc={:08x}", ssrc.0)?;
                reports.iter().try_for_each(|r| write!(f, " {r}"))
            }
            Packet::Sdes { count, .. } => write!(f, "SDES chunks={count}"),
            Packet::Bye { sources, .. } => write!(f, "BYE sources={}", sources.len() / 4),
            Packet::Other { pt, body, .. } => write!(f, "pt={pt} octets={}", body.len()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { ssrc, lost, highest, jitter, .. } = self;
        write!(f, "[of={:08x} lost={lost} highest={highest} jitter={jitter}]", ssrc.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// A compound of well-formed packets: the given types behind a leading report.
    fn compounds() -> impl Strategy<Value = Vec<u8>> {
        let octets = proptest::collection::vec(any::<u8>(), 600);
        let kinds = proptest::collection::vec((0u8..6, 0u8..4), 0..5);
        (octets, any::<bool>(), kinds).prop_map(|(octets, sr, kinds)| {
            let first = (u8::from(!sr), 1);
            let mut out = Vec::new();
            for (kind, count) in core::iter::once(first).chain(kinds) {
                let n = usize::from(count);
                let words = match kind {
                    0 => 6 + 6 * n,
                    1 => 1 + 6 * n,
                    3 => n,
                    _ => 2 * n,
                };
                let mut one = alloc::vec![0x80 | count, SR + kind, 0, words as u8];
                one.extend(octets.iter().skip(out.len() % 300).take(4 * words));
                out.extend(one);
            }
            out
        })
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_emitted_octet_for_octet(bytes in compounds()) {
            let compound = Compound::parse(&bytes).expect("valid by construction");
            let mut out = Vec::new();
            for packet in compound.packets() {
                let mut room = [0xaa; 2048];
                let n = packet.emit(&mut room).expect("room");
                out.extend_from_slice(&room[..n]);
                prop_assert_eq!(packet.emit(&mut room[..n - 1]), None);
            }
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn arbitrary_octets_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..99),
        ) {
            let _ = Compound::parse(&bytes);
            if bytes.len() > 3 {
                let words = bytes.len() / 4 - 1;
                let (a, b) = (0x80 | bytes[0] & 1, 200 | bytes[1] & 1);
                bytes[..4].copy_from_slice(&[a, b, 0, words as u8]);
                if let Ok(compound) = Compound::parse(&bytes) {
                    let _ = compound.to_string();
                }
            }
        }

        #[test]
        fn a_compound_cut_inside_a_packet_is_refused(bytes in compounds()) {
            let mut edges = Vec::new();
            let mut at = 0;
            while let Ok((next, _)) = step(&bytes, at) {
                edges.push(next);
                at = next;
            }
            for cut in (0..bytes.len()).filter(|c| !edges.contains(c)) {
                prop_assert!(Compound::parse(&bytes[..cut]).is_err(), "cut at {}", cut);
            }
        }
    }

    #[test]
    fn a_report_reads_signed_loss_and_prints_one_line() {
        let mut bytes = alloc::vec![0x81, RR, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2];
        bytes.extend([5, 0xff, 0xff, 0xfe, 0, 1, 0, 9, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0x81, BYE, 0, 1, 0, 0, 0, 1]);
        let line = Compound::parse(&bytes).expect("valid").to_string();
        let want =
            "RTCP RR ssrc=00000001 [of=00000002 lost=-2 highest=65545 jitter=80] BYE sources=1";
        assert_eq!(line, want);
    }

    //= RFC 3550 §A.2 type=test
    #[test]
    fn a_compound_must_begin_with_rtcp_and_pad_only_at_its_end() {
        let bye = [0x81, BYE, 0, 1, 0, 0, 0, 1];
        assert!(Compound::parse(&bye).is_ok(), "reduced size");
        for other in [SR - 1, PSFB + 1] {
            let stray = [0x81, other, 0, 1, 0, 0, 0, 1];
            assert_eq!(Compound::parse(&stray).expect_err("not RTCP").offset, 1);
        }
        let padded_first = [0xa0, RR, 0, 1, 0, 0, 0, 4, 0x80, RR, 0, 1, 0, 0, 0, 1];
        assert_eq!(Compound::parse(&padded_first).expect_err("padding").offset, 0);
        let padded_last = [0x80, RR, 0, 1, 0, 0, 0, 1, 0xa0, BYE, 0, 1, 0, 0, 0, 4];
        assert!(Compound::parse(&padded_last).is_ok());
    }
}
