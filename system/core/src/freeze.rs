//! Plain data to bytes and back: checkpoints, recorded inputs, rows of the embedded store.
//! The form is postcard (serde): compact, positional, the same on every machine. A frozen state
//! is read only by the build that wrote it; the recording's `build_id` guards that, not this file.
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Serialize, de::DeserializeOwned};

/// A state as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frozen(pub Vec<u8>);

/// Our surroundings failed (disk, socket, database, a recording that is not ours to read).
/// Neither the peer nor this program is to blame: retry, degrade or refuse to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    pub fn new(what: impl Into<String>) -> Self {
        Fault(what.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Fault {}

/// Freezes plain data. Only a bug can make it fail (a type that is not plain data).
pub fn freeze<T: Serialize + ?Sized>(value: &T) -> Frozen {
    match postcard::to_allocvec(value) {
        Ok(bytes) => Frozen(bytes),
        Err(e) => crate::bug!("state is not plain data: {e}"),
    }
}

/// Appends the frozen form of `value` to `out`.
pub fn freeze_into<T: Serialize + ?Sized>(value: &T, out: Vec<u8>) -> Vec<u8> {
    match postcard::to_extend(value, out) {
        Ok(bytes) => bytes,
        Err(e) => crate::bug!("state is not plain data: {e}"),
    }
}

/// Reads back what [`freeze`] wrote; trailing octets are a fault too.
pub fn thaw<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Fault::new(alloc::format!("{} octets left over", rest.len()))),
        Err(e) => Err(Fault::new(alloc::format!("frozen state is damaged: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_data_thaws_equal_and_every_truncation_is_a_fault() {
        let value = (7u32, String::from("alice"), alloc::vec![1u64, 2, 300]);
        let frozen = freeze(&value);
        assert_eq!(thaw::<(u32, String, Vec<u64>)>(&frozen.0).as_ref(), Ok(&value));
        for cut in 0..frozen.0.len() {
            assert!(thaw::<(u32, String, Vec<u64>)>(&frozen.0[..cut]).is_err(), "cut at {cut}");
        }
    }
}
