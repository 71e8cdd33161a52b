//! Randomness as a keyed function, not a stream: `at(purpose, object, n)`.
//! One draw more or less shifts nothing elsewhere, and a checkpoint holds no generator state.
//! SHA-256 over one block of fixed length (key, purpose, object, n): a pseudo-random function of a
//! 256-bit key, which the host takes from the operating system in production.
use core::fmt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a draw is for. Two purposes never share a value, whatever their object and `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Purpose {
    Branch = 1,
    Tag = 2,
    CallId = 3,
    NonceKey = 4,
    Ssrc = 5,
    RtpSequence = 6,
    RtpTime = 7,
    Jitter = 8,
    SessionId = 9,
    CdrId = 10,
    TableKey = 11,
    Password = 12,
    CSeq = 13,
    PortOrder = 14,
}

/// The key. Never printed: whoever knows it can foretell every token that we mint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entropy {
    key: [u8; 32],
}

impl Entropy {
    pub const fn new(key: [u8; 32]) -> Self {
        Entropy { key }
    }

    /// 32 octets that only this key, purpose, object and `n` give.
    pub fn block(&self, purpose: Purpose, object: u64, n: u64) -> [u8; 32] {
        let mut block = [0u8; 49];
        block[..32].copy_from_slice(&self.key);
        block[32] = purpose as u8;
        block[33..41].copy_from_slice(&object.to_be_bytes());
        block[41..49].copy_from_slice(&n.to_be_bytes());
        Sha256::digest(block).into()
    }

    pub fn at(&self, purpose: Purpose, object: u64, n: u64) -> u64 {
        let b = self.block(purpose, object, n);
        u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
    }

    /// A number below `bound` (which must not be zero), without noticeable bias.
    pub fn below(&self, purpose: Purpose, object: u64, n: u64, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no member");
        ((u128::from(self.at(purpose, object, n)) * u128::from(bound)) >> 64) as u64
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_changes_the_draw_and_nothing_else_does() {
        let e = Entropy::new([7; 32]);
        let base = e.at(Purpose::Tag, 1, 1);
        assert_eq!(base, e.at(Purpose::Tag, 1, 1));
        assert_ne!(base, e.at(Purpose::Branch, 1, 1));
        assert_ne!(base, e.at(Purpose::Tag, 2, 1));
        assert_ne!(base, e.at(Purpose::Tag, 1, 2));
        assert_ne!(base, Entropy::new([8; 32]).at(Purpose::Tag, 1, 1));
    }

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        let e = Entropy::new([1; 32]);
        let draws: alloc::vec::Vec<u64> =
            (0..1000).map(|n| e.below(Purpose::Jitter, 0, n, 10)).collect();
        assert!(draws.iter().all(|d| *d < 10));
        assert!(draws.contains(&0) && draws.contains(&9));
    }
}
