//! Tokens that we mint: Via branches, tags, Call-IDs — RFC 3261 §8.1.1.4, §8.1.1.7, §19.3.
//! Owns: their shape. The node's index stands in a fixed place, two hex digits at the front (in a
//! branch behind the magic cookie), so that a front door can tell whose token it is without state.
//! Does not know: who counts `n`.
use alloc::format;
use alloc::string::String;
use bitspath_core::{Entropy, Purpose};

//= RFC 3261 §8.1.1.7
/// Begins every branch that is unique over space and time.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// A branch: cookie, node, 64 bits that nobody can foretell.
pub fn branch(entropy: &Entropy, node: u8, object: u64, n: u64) -> String {
    format!("{MAGIC_COOKIE}{node:02x}{:016x}", entropy.at(Purpose::Branch, object, n))
}

//= RFC 3261 §19.3
/// A tag: at least 32 bits of randomness are asked for; these are 64.
pub fn tag(entropy: &Entropy, node: u8, object: u64, n: u64) -> String {
    format!("{node:02x}{:016x}", entropy.at(Purpose::Tag, object, n))
}

//= RFC 3261 §8.1.1.4
/// A Call-ID without a host part: 128 bits, no address of ours disclosed.
pub fn call_id(entropy: &Entropy, node: u8, object: u64, n: u64) -> String {
    let block = entropy.block(Purpose::CallId, object, n);
    let half = block.iter().take(16).fold(0u128, |sum, b| sum << 8 | u128::from(*b));
    format!("{node:02x}{half:032x}")
}

/// Which node minted `token` (a tag, a Call-ID or a branch), if one of this house did.
pub fn node_of(token: &str) -> Option<u8> {
    let digits = match token.strip_prefix(MAGIC_COOKIE) {
        Some(branch) => branch.get(..2).filter(|_| branch.len() == 18)?,
        None => token.get(..2).filter(|_| matches!(token.len(), 18 | 34))?,
    };
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_tells_its_node() {
        //= RFC 3261 §8.1.1.7 type=test
        //= RFC 3261 §19.3 type=test
        //= RFC 3261 §8.1.1.4 type=test
        let entropy = Entropy::new([3; 32]);
        for node in [0u8, 7, 255] {
            for n in 0..50 {
                assert_eq!(node_of(&branch(&entropy, node, 1, n)), Some(node));
                assert_eq!(node_of(&tag(&entropy, node, 1, n)), Some(node));
                assert_eq!(node_of(&call_id(&entropy, node, 1, n)), Some(node));
            }
        }
        for stranger in ["", "z9hG4bK", "z9hG4bK-776", "a6c85cf", "ü", "z9hG4bKü"] {
            assert_eq!(node_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn the_node_index_does_not_eat_into_the_randomness() {
        let entropy = Entropy::new([3; 32]);
        assert_ne!(branch(&entropy, 1, 1, 1)[9..], branch(&entropy, 1, 1, 2)[9..]);
        assert_eq!(branch(&entropy, 1, 1, 1)[9..], branch(&entropy, 2, 1, 1)[9..]);
    }
}
