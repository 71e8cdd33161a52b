//! The RTP packet, RFC 3550 §5.1, with the validity checks of §A.1 that need no state.
//! Owns: the fixed header, CSRC list, extension and padding; sequence numbers extended to u64.
//! Does not know: payload formats, streams. Missing: nothing.
//!
//!    0                   1                   2                   3
//!   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//!   |                           timestamp                           |
//!   |                             SSRC                              |
//!   |           CSRC (CC of them) · extension when X · payload · padding when P
use super::{Error, Writer, be16, be32, expected};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Synchronization source, RFC 3550 §3.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ssrc(pub u32);

/// Media time in units of the payload's clock; wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// Units from `earlier` to here; negative when this one is the earlier.
    pub const fn since(self, earlier: RtpTime) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
    pub const fn plus(self, units: u32) -> RtpTime {
        RtpTime(self.0.wrapping_add(units))
    }
}

/// A sequence number with its roll-overs counted: 16 bits on the wire, 64 here.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// The number nearest to this one that has these 16 low bits; never below zero.
    pub const fn nearest(self, wire: u16) -> SeqNo {
        let step = wire.wrapping_sub(self.0 as u16) as i16;
        match self.0.checked_add_signed(step as i64) {
            Some(n) => SeqNo(n),
            None => SeqNo(wire as u64),
        }
    }
    pub const fn wire(self) -> u16 {
        self.0 as u16
    }
}

/// The fixed header alone: all that a relay looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub marker: bool,
    pub pt: u8,
    pub seq: u16,
    pub time: RtpTime,
    pub ssrc: Ssrc,
}

pub const HEAD_BYTES: usize = 12;

impl Head {
    /// The header of a packet whose every length is consistent; otherwise what is wrong.
    #[inline]
    pub fn peek(bytes: &[u8]) -> Result<Head, Error> {
        let Some([b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]) = bytes.first_chunk() else {
            return expected(bytes.len(), "12 octets of header");
        };
        //= RFC 3550 §A.1
        // Version 2; the payload type is none of RTCP's (200 to 207 with the marker's bit).
        if b0 >> 6 != 2 {
            return expected(0, "version 2");
        }
        if matches!(b1, 200..=207) {
            return expected(1, "a payload type other than RTCP's");
        }
        if b0 & 0x3f != 0 {
            layout(bytes)?;
        }
        Ok(Head {
            marker: b1 & 0x80 != 0,
            pt: b1 & 0x7f,
            seq: u16::from_be_bytes([*s0, *s1]),
            time: RtpTime(u32::from_be_bytes([*t0, *t1, *t2, *t3])),
            ssrc: Ssrc(u32::from_be_bytes([*c0, *c1, *c2, *c3])),
        })
    }

    /// Writes the twelve octets in front of a payload without CSRC, extension and padding.
    pub fn emit(&self, room: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(room);
        w.put(&[0x80, u8::from(self.marker) << 7 | self.pt & 0x7f])?;
        w.put(&self.seq.to_be_bytes())?;
        w.put(&self.time.0.to_be_bytes())?;
        w.put(&self.ssrc.0.to_be_bytes())?;
        Some(w.at)
    }
}

/// Where the parts behind the fixed header lie: (extension, payload, end of payload).
#[inline(never)]
fn layout(bytes: &[u8]) -> Result<(usize, usize, usize), Error> {
    let first = bytes.first().copied().unwrap_or(0);
    let extension = HEAD_BYTES + 4 * usize::from(first & 0x0f);
    if bytes.len() < extension {
        return expected(bytes.len(), "as many CSRC as CC says");
    }
    let mut payload = extension;
    if first & 0x10 != 0 {
        //= RFC 3550 §5.3.1
        // The extension's length counts 32-bit words after its own four octets.
        let Some(words) = be16(bytes, extension + 2) else {
            return expected(bytes.len(), "a header extension");
        };
        payload += 4 + 4 * usize::from(words);
        if bytes.len() < payload {
            return expected(bytes.len(), "as long an extension as it says");
        }
    }
    let mut end = bytes.len();
    if first & 0x20 != 0 {
        //= RFC 3550 §5.1
        // The last octet counts the padding octets, itself included.
        let pad = usize::from(bytes.last().copied().unwrap_or(0));
        if pad == 0 || payload + pad > end {
            return expected(end.saturating_sub(1), "a padding count within the packet");
        }
        end -= pad;
    }
    Ok((extension, payload, end))
}

/// A whole packet in views of its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet<'a> {
    pub head: Head,
    /// Contributing sources, four octets each.
    csrc: &'a [u8],
    /// The profile's 16 bits and the words after them.
    extension: Option<(u16, &'a [u8])>,
    pub payload: &'a [u8],
    /// Octets of padding, the count itself included; zero is none.
    padding: u8,
}

impl<'a> Packet<'a> {
    pub fn new(head: Head, payload: &'a [u8]) -> Self {
        Packet { head, csrc: &[], extension: None, payload, padding: 0 }
    }

    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Error> {
        let head = Head::peek(bytes)?;
        let (ext, payload, end) = layout(bytes)?;
        let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or(&[]);
        let extension = be16(bytes, ext)
            .filter(|_| payload > ext)
            .map(|profile| (profile, part(ext + 4, payload)));
        Ok(Packet {
            head,
            csrc: part(HEAD_BYTES, ext),
            extension,
            payload: part(payload, end),
            padding: (bytes.len() - end) as u8,
        })
    }

    pub fn csrc(&self) -> impl Iterator<Item = Ssrc> + 'a {
        self.csrc.chunks_exact(4).filter_map(|c| be32(c, 0)).map(Ssrc)
    }
    pub fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// Octets written, or `None` when the room is too small. Padding octets are zeros.
    pub fn emit(&self, room: &mut [u8]) -> Option<usize> {
        let at = self.head.emit(room)?;
        let count = (self.csrc.len() / 4) as u8;
        let flags = u8::from(self.padding > 0) << 5 | u8::from(self.extension.is_some()) << 4;
        *room.first_mut()? |= flags | count;
        let mut w = Writer { room, at };
        w.put(self.csrc)?;
        if let Some((profile, words)) = self.extension {
            w.put(&profile.to_be_bytes())?;
            w.put(&((words.len() / 4) as u16).to_be_bytes())?;
            w.put(words)?;
        }
        w.put(self.payload)?;
        if let Some(zeros) = self.padding.checked_sub(1) {
            w.zeros(usize::from(zeros))?;
            w.put(&[self.padding])?;
        }
        Some(w.at)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = if self.marker { " M" } else { "" };
        let (pt, seq, time, ssrc) = (self.pt, self.seq, self.time.0, self.ssrc.0);
        write!(f, "RTP pt={pt}{m} seq={seq} time={time} ssrc={ssrc:08x}")
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} payload={}", self.head, self.payload.len())?;
        for ssrc in self.csrc() {
            write!(f, " csrc={:08x}", ssrc.0)?;
        }
        if let Some((profile, words)) = self.extension {
            write!(f, " extension={profile:04x}/{}", words.len())?;
        }
        if self.padding > 0 {
            write!(f, " padding={}", self.padding)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn packets() -> impl Strategy<Value = Vec<u8>> {
        let octets = |n| proptest::collection::vec(any::<u8>(), n);
        (any::<bool>(), 0u8..=127, octets(10..11), 0usize..=15, 0usize..=4, octets(0..60), 0u8..9)
            .prop_map(|(marker, pt, fixed, cc, words, payload, padding)| {
                let pt = if (72..80).contains(&pt) { 0 } else { pt };
                let mut p = Vec::new();
                let x = u8::from(words > 0);
                p.push(0x80 | u8::from(padding > 0) << 5 | x << 4 | cc as u8);
                p.push(u8::from(marker) << 7 | pt);
                p.extend(&fixed);
                p.extend(fixed.iter().cycle().take(4 * cc));
                if words > 0 {
                    p.extend([0xbe, 0xde, 0, words as u8 - 1]);
                    p.extend(fixed.iter().cycle().take(4 * (words - 1)));
                }
                p.extend(payload);
                if padding > 0 {
                    p.extend(core::iter::repeat_n(0, usize::from(padding) - 1));
                    p.push(padding);
                }
                p
            })
    }

    proptest! {
        //= RFC 3550 §5.1 type=test
        //= RFC 3550 §5.3.1 type=test
        #[test]
        fn what_is_parsed_is_emitted_octet_for_octet(bytes in packets()) {
            let packet = Packet::parse(&bytes).expect("valid by construction");
            let mut room = [0xaa; 2048];
            let n = packet.emit(&mut room).expect("room");
            prop_assert_eq!(&room[..n], &bytes[..]);
            prop_assert_eq!(packet.emit(&mut room[..n - 1]), None);
        }

        #[test]
        fn arbitrary_octets_never_panic_and_peek_agrees_with_parse(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..64), force in any::<bool>(),
        ) {
            if force && let Some(b) = bytes.first_mut() { *b = *b & 0x3f | 0x80; }
            prop_assert_eq!(Head::peek(&bytes), Packet::parse(&bytes).map(|p| p.head));
        }

        #[test]
        fn a_packet_cut_anywhere_is_refused_or_shorter(bytes in packets()) {
            for cut in 0..bytes.len() {
                if let Ok(p) = Packet::parse(&bytes[..cut]) {
                    prop_assert!(p.payload.len() < bytes.len());
                }
            }
        }

        #[test]
        fn extension_undoes_truncation_within_half_the_circle(
            n in any::<u32>(), d in -32768i64..32768,
        ) {
            let near = SeqNo(u64::from(n) + 65_536);
            let want = SeqNo(near.0.checked_add_signed(d).expect("far from zero"));
            prop_assert_eq!(near.nearest(want.wire()), want);
        }
    }

    #[test]
    fn the_trace_line_names_every_part() {
        let bytes = [
            0xb1, 0x80, 0, 7, 0, 0, 0, 160, 0xca, 0xfe, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 0, 1, 2,
            0, 2,
        ];
        let line = "RTP pt=0 M seq=7 time=160 ssrc=cafe0001 payload=2 csrc=00000009 \
                    extension=bede/0 padding=2";
        assert_eq!(Packet::parse(&bytes).expect("valid").to_string(), line);
    }

    //= RFC 3550 §A.1 type=test
    #[test]
    fn rtcp_stun_and_dtls_are_not_rtp() {
        let sr = [0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0];
        let dtls = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Head::peek(&sr).expect_err("RTCP").offset, 1);
        assert_eq!(Head::peek(&stun).expect_err("STUN").expected, "version 2");
        assert_eq!(Head::peek(&dtls).expect_err("DTLS").expected, "version 2");
    }
}
