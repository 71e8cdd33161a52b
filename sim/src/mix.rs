//! Keyed decisions: every draw of the simulator is `mix(seed, object, n, purpose)`, a function and
//! not a stream, so that taking one fault away does not re-roll everything after it.
//! Not cryptographic and never used by the product: that has `core::Entropy`.

/// What a draw is for. Two purposes never share a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Draw {
    Rate = 1,
    Loss,
    Duplicate,
    DuplicateDelay,
    Reorder,
    ReorderDelay,
    Delay,
    Corrupt,
    Mangle,
    MangleWhere,
    Chunk,
    Tie,
    Permute,
    Base,
    Jitter,
    MediaDelay,
    StoreDelay,
    Thaw,
    Phone,
    NatPort,
    Clean,
    Key,
}

/// SplitMix64's finisher over the four words.
pub const fn mix(seed: u64, object: u64, n: u64, what: Draw) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = avalanche(x ^ object.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    x = avalanche(x ^ n.wrapping_mul(0xA076_1D64_78BD_642F));
    avalanche(x ^ (what as u64).wrapping_mul(0xE703_7ED1_A0B4_28DB))
}

const fn avalanche(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number in `low..=high`.
pub const fn within(draw: u64, low: u64, high: u64) -> u64 {
    if high <= low {
        return low;
    }
    low + (((draw as u128) * ((high - low) as u128 + 1)) >> 64) as u64
}

/// True with a chance of `ppm` in a million.
pub const fn chance(draw: u64, ppm: u32) -> bool {
    ppm > 0 && (draw >> 32) * 1_000_000 < (ppm as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_key_changes_the_draw() {
        let base = mix(1, 2, 3, Draw::Loss);
        assert_eq!(base, mix(1, 2, 3, Draw::Loss));
        assert_ne!(base, mix(2, 2, 3, Draw::Loss));
        assert_ne!(base, mix(1, 3, 3, Draw::Loss));
        assert_ne!(base, mix(1, 2, 4, Draw::Loss));
        assert_ne!(base, mix(1, 2, 3, Draw::Delay));
    }

    #[test]
    fn chances_and_ranges_come_out_as_asked() {
        let hits = (0..100_000).filter(|n| chance(mix(7, 0, *n, Draw::Loss), 100_000)).count();
        assert!((9_500..10_500).contains(&hits), "{hits} of 100,000 at 10 %");
        assert!((0..1000).all(|n| !chance(mix(7, 0, n, Draw::Loss), 0)));
        assert!((0..1000).all(|n| chance(mix(7, 0, n, Draw::Loss), 1_000_000)));
        let draws: Vec<u64> = (0..1000).map(|n| within(mix(7, 1, n, Draw::Delay), 3, 6)).collect();
        assert!(draws.iter().all(|d| (3..=6).contains(d)));
        assert!((3..=6).all(|v| draws.contains(&v)));
    }
}
