//! The trace hash: one u64 that two runs share only when every output was the same.
//! Stable between processes and machines of one word size; not cryptographic.
use core::hash::{Hash, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A `Hasher` over `#[derive(Hash)]` outputs: long strings by xxh3, numbers by one multiplication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceHasher(pub u64);

impl TraceHasher {
    /// Folds one value into the trace.
    pub fn fold<T: Hash + ?Sized>(&mut self, value: &T) {
        value.hash(self);
    }
    fn mix(&mut self, word: u64) {
        let x = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = (x ^ (x >> 29)).rotate_left(17);
    }
}

impl Hasher for TraceHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }
    fn write_u8(&mut self, i: u8) {
        self.mix(u64::from(i));
    }
    fn write_u16(&mut self, i: u16) {
        self.mix(u64::from(i));
    }
    fn write_u32(&mut self, i: u32) {
        self.mix(u64::from(i));
    }
    fn write_u64(&mut self, i: u64) {
        self.mix(i);
    }
    fn write_usize(&mut self, i: usize) {
        self.mix(i as u64);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_content_both_change_the_hash() {
        let of = |words: &[&str]| {
            let mut h = TraceHasher::default();
            words.iter().for_each(|w| h.fold(w));
            h.0
        };
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
    }
}
