//! G.711: the two companding laws, ITU-T G.711 tables 1 and 2, on 16-bit linear samples.
//! Integer arithmetic in `const` functions; the tables below are computed by the compiler.
use crate::command::Law;

/// Of every code, both laws.
static MU_LINEAR: [i16; 256] = linear(Law::Mu);
static A_LINEAR: [i16; 256] = linear(Law::A);

const fn linear(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand(law, code as u8);
        code += 1;
    }
    table
}

/// One code as a linear sample, by table.
pub fn decode(law: Law, code: u8) -> i16 {
    let table = match law {
        Law::Mu => &MU_LINEAR,
        Law::A => &A_LINEAR,
    };
    table.get(usize::from(code)).copied().unwrap_or(0)
}

/// One linear sample as a code.
pub const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => encode_mu(sample),
        Law::A => encode_a(sample),
    }
}

/// What silence is on the wire.
pub const fn silence(law: Law) -> u8 {
    encode(law, 0)
}

const fn expand(law: Law, code: u8) -> i16 {
    match law {
        Law::Mu => {
            let code = !code;
            let segment = (code >> 4) & 7;
            let step = (((code & 0x0f) as i32) << 3) + 0x84;
            let magnitude = (step << segment) - 0x84;
            (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
        }
        Law::A => {
            let code = code ^ 0x55;
            let segment = (code >> 4) & 7;
            let step = ((code & 0x0f) as i32) << 4;
            let magnitude = match segment {
                0 => step + 8,
                _ => (step + 0x108) << (segment - 1),
            };
            (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
        }
    }
}

/// 14-bit magnitude plus the bias of 33, clipped; the segment is where its leading one stands.
const fn encode_mu(sample: i16) -> u8 {
    let linear = (sample as i32) >> 2;
    let (mask, magnitude) = if linear < 0 { (0x7f, -linear) } else { (0xff, linear) };
    let biased = if magnitude > 8158 { 8191 } else { magnitude + 33 };
    let segment = 26 - biased.leading_zeros();
    let code = (segment << 4) | ((biased as u32) >> (segment + 1)) & 0x0f;
    code as u8 ^ mask
}

/// 13-bit magnitude; the two lowest segments share their step.
const fn encode_a(sample: i16) -> u8 {
    let linear = (sample as i32) >> 3;
    let (mask, magnitude) = if linear < 0 { (0x55, -linear - 1) } else { (0xd5, linear) };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 27 - magnitude.leading_zeros() as i32;
        (segment << 4) | (magnitude >> segment) & 0x0f
    };
    code as u8 ^ mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 gives every code an interval of its segment's step with the output in the middle.
    #[test]
    fn every_sample_lies_in_the_interval_of_its_code() {
        // The laws see 14 and 13 of the 16 bits: so far a sample may be beside its interval.
        for (law, slack, loudest) in [(Law::Mu, 4, 32_124), (Law::A, 8, 32_256)] {
            for sample in i16::MIN..=i16::MAX {
                let code = encode(law, sample);
                let segment = match law {
                    Law::Mu => i32::from(!code >> 4 & 7),
                    Law::A => i32::from((code ^ 0x55) >> 4 & 7),
                };
                let half = match law {
                    Law::Mu => 4 << segment,
                    Law::A => 8 << (segment - 1).max(0),
                };
                let clipped = i32::from(sample).clamp(-loudest, loudest);
                let off = (i32::from(decode(law, code)) - clipped).abs();
                assert!(off <= half + slack, "{law:?} {sample} is {off} off");
            }
        }
    }

    #[test]
    fn every_code_survives_the_round_trip() {
        for code in 0..=255 {
            assert_eq!(encode(Law::A, decode(Law::A, code)), code);
            // Mu law has two zeros; the negative one is written as the positive one.
            let want = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode(Law::Mu, decode(Law::Mu, code)), want);
        }
    }

    #[test]
    fn codes_rise_with_samples_and_the_ends_are_the_tables_ends() {
        for law in [Law::Mu, Law::A] {
            let mut last = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let now = decode(law, encode(law, sample));
                assert!(now >= last, "{law:?} falls at {sample}");
                last = now;
            }
        }
        assert_eq!((decode(Law::Mu, 0x00), decode(Law::Mu, 0x80)), (-32124, 32124));
        assert_eq!((decode(Law::A, 0x2a), decode(Law::A, 0xaa)), (-32256, 32256));
        assert_eq!((silence(Law::Mu), silence(Law::A)), (0xff, 0xd5));
    }
}
