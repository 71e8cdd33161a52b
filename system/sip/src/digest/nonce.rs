//! Nonces that need no memory, and nonce-counts that need a little — RFC 7616 §3.3, §5.4, §5.5.
//! A nonce is `time serial mac`: anyone may ask for one and nothing is kept; only a nonce that was
//! used with a right digest gets a window of the counts seen.
//! Brim: the oldest window goes, and with it the worth of every nonce as old, so that a forgotten
//! count can never be used twice.
use super::algorithm::hex;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use bitspath_core::UnixTime;
use bitspath_core::limits::{NONCE_LIFE, NONCE_WINDOW, NONCES_MAX};
use core::fmt;
use core::time::Duration;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Milliseconds of minting, and a serial number.
type Minted = (u64, u32);

const STAMP_DIGITS: usize = 20;
const MAC_OCTETS: usize = 16;
/// Windows of dead nonces that one use clears away; two are enough to shrink.
const SWEEP: usize = 4;

const _: () = assert!(NONCE_WINDOW == u64::BITS);

/// The mint and the windows of one Node.
#[derive(Clone, Serialize, Deserialize)]
pub struct Nonces {
    key: [u8; 32],
    serial: u32,
    life: Duration,
    capacity: u32,
    windows: BTreeMap<Minted, Window>,
    /// Nonces up to here are forgotten.
    floor: Option<Minted>,
}

/// The highest nonce-count used, and which of the 64 up to it (bit 0 is the highest).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Window {
    highest: u32,
    seen: u64,
}

impl Nonces {
    /// The key is the secret of the data directory, so that a restart asks nobody again.
    pub fn new(key: [u8; 32]) -> Self {
        let (life, capacity) = (NONCE_LIFE, NONCES_MAX);
        Nonces { key, serial: 0, life, capacity, windows: BTreeMap::new(), floor: None }
    }

    /// Nonces whose counts are remembered.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// A nonce for this realm; no two are equal.
    pub fn mint(&mut self, now: UnixTime, realm: &str) -> String {
        self.serial = self.serial.wrapping_add(1);
        let mut nonce = format!("{:012x}{:08x}", millis(now), self.serial);
        let mac = self.mac(&nonce, realm);
        nonce.push_str(&mac);
        nonce
    }

    /// Uses the nonce with this count once: false when it is not ours, not of this realm, too old,
    /// or when the count was used before or is too far behind. Call only after a right digest.
    pub(super) fn spend(&mut self, now: UnixTime, realm: &str, nonce: &str, nc: u32) -> bool {
        let Some(minted) = self.minted(realm, nonce) else { return false };
        if !self.is_good(now, realm, nonce) {
            return false;
        }
        self.sweep(now);
        if let Some(window) = self.windows.get_mut(&minted) {
            return window.spend(nc);
        }
        if self.windows.len() >= self.capacity as usize
            && let Some((oldest, _)) = self.windows.pop_first()
        {
            self.floor = self.floor.max(Some(oldest));
        }
        if self.floor.is_some_and(|floor| minted <= floor) {
            return false;
        }
        self.windows.insert(minted, Window { highest: nc, seen: 1 });
        true
    }

    /// Whether a right digest over this nonce, with a fresh count, would be accepted now.
    pub(super) fn is_good(&self, now: UnixTime, realm: &str, nonce: &str) -> bool {
        let alive = |m: Minted| !self.is_dead(now, m) && self.floor.is_none_or(|f| m > f);
        self.minted(realm, nonce).is_some_and(alive)
    }

    /// When it was minted, if we did and for this realm.
    fn minted(&self, realm: &str, nonce: &str) -> Option<Minted> {
        let (stamp, mac) = nonce.split_at_checked(STAMP_DIGITS)?;
        if !same(self.mac(stamp, realm).as_bytes(), mac.as_bytes()) {
            return None;
        }
        let (time, serial) = stamp.split_at_checked(12)?;
        Some((u64::from_str_radix(time, 16).ok()?, u32::from_str_radix(serial, 16).ok()?))
    }

    /// Wall time may jump back: a nonce from the future lives as long as one from the past.
    fn is_dead(&self, now: UnixTime, minted: Minted) -> bool {
        u128::from(millis(now).abs_diff(minted.0)) > self.life.as_millis()
    }

    fn sweep(&mut self, now: UnixTime) {
        for _ in 0..SWEEP {
            match self.windows.first_key_value() {
                Some((minted, _)) if self.is_dead(now, *minted) => self.windows.pop_first(),
                _ => return,
            };
        }
    }

    fn mac(&self, stamp: &str, realm: &str) -> String {
        // The stamp has a fixed length, so stamp and realm cannot trade octets.
        // RFC 2104 §2: a short key is filled with zeros to one block.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(stamp.as_bytes());
        mac.update(realm.as_bytes());
        hex(mac.finalize().into_bytes().get(..MAC_OCTETS).unwrap_or_default())
    }

    #[cfg(test)]
    pub(super) fn with_capacity(mut self, capacity: u32) -> Self {
        self.capacity = capacity;
        self
    }
}

impl Window {
    fn spend(&mut self, nc: u32) -> bool {
        if nc > self.highest {
            let ahead = nc - self.highest;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = nc;
            return true;
        }
        let behind = self.highest - nc;
        let bit = 1u64.checked_shl(behind).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonces(secret, {} windows)", self.windows.len())
    }
}

fn millis(now: UnixTime) -> u64 {
    (now.0 / 1_000_000) & 0xffff_ffff_ffff
}

/// Equality in a time that tells nothing of where the texts differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0u8, |sum, (x, y)| core::hint::black_box(sum | (x ^ y)));
    a.len() == b.len() && differing == 0
}
