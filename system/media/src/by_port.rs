//! Which stream an open port belongs to: one look at a vector indexed by the port itself.
use crate::command::PortNo;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const NONE: u32 = u32::MAX;

/// Grows to the range of ports that are really used, not to all 32,768.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByPort {
    /// Half of the port of the first entry.
    base: u16,
    entries: Vec<u32>,
}

impl ByPort {
    #[inline]
    pub fn get(&self, port: PortNo) -> Option<u32> {
        let at = (port.0 >> 1).wrapping_sub(self.base);
        self.entries.get(usize::from(at)).copied().filter(|e| *e != NONE)
    }

    pub fn set(&mut self, port: PortNo, stream: u32) {
        let half = port.0 >> 1;
        if self.entries.is_empty() {
            self.base = half;
        }
        if half < self.base {
            let more = core::iter::repeat_n(NONE, usize::from(self.base - half));
            self.entries.splice(0..0, more);
            self.base = half;
        }
        let at = usize::from(half - self.base);
        if self.entries.len() <= at {
            self.entries.resize(at + 1, NONE);
        }
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = stream;
        }
    }

    pub fn clear(&mut self, port: PortNo) {
        let at = (port.0 >> 1).wrapping_sub(self.base);
        if let Some(entry) = self.entries.get_mut(usize::from(at)) {
            *entry = NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(
            steps in proptest::collection::vec((any::<bool>(), 0u16..=u16::MAX, 0u32..9), 1..200),
        ) {
            let (mut table, mut model) = (ByPort::default(), BTreeMap::new());
            for (set, port, stream) in steps {
                let port = PortNo(port & !1);
                if set {
                    table.set(port, stream);
                    model.insert(port, stream);
                } else {
                    table.clear(port);
                    model.remove(&port);
                }
                for probe in [port, PortNo(port.0 ^ 2), PortNo(0), PortNo(65_534)] {
                    prop_assert_eq!(table.get(probe), model.get(&probe).copied());
                }
            }
        }
    }
}
