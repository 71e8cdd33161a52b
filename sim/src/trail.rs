//! Every SIP message of a run in the order in which it left its sender: what the ladder is
//! compared with and what a failure prints. Missing: messages that a TCP write cuts in two.
use crate::host::HostId;
use crate::seen::Seen;
use bitspath_core::Instant;
use bytes::{Buf, Bytes};
use std::collections::BTreeSet;
use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Arrow {
    pub at: Instant,
    pub from: HostId,
    /// `None` when the address leads nowhere (a NAT mapping that is gone).
    pub to: Option<HostId>,
    pub seen: Seen,
    /// The same octets went the same way before: a retransmission.
    pub again: bool,
}

#[derive(Debug, Default)]
pub struct Trail {
    pub arrows: Vec<Arrow>,
    known: BTreeSet<(HostId, Option<HostId>, u64)>,
    /// What started like SIP and was not, at the hands of the system under test or of a phone.
    pub garbled: Vec<(Instant, HostId, &'static str)>,
}

impl Trail {
    /// Notes the messages in `bytes`; returns their places.
    pub fn sip(
        &mut self,
        at: Instant,
        from: HostId,
        to: Option<HostId>,
        bytes: &Bytes,
    ) -> Range<usize> {
        let first = self.arrows.len();
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            match Seen::parse(&rest) {
                Ok(seen) => {
                    let message = seen.bytes.get(..seen.len()).unwrap_or_default();
                    let print = xxhash_rust::xxh3::xxh3_64(message);
                    rest.advance(seen.len().min(rest.len()));
                    let again = !self.known.insert((from, to, print));
                    self.arrows.push(Arrow { at, from, to, seen, again });
                }
                Err(why) => {
                    self.garbled.push((at, from, why));
                    break;
                }
            }
        }
        first..self.arrows.len()
    }
}
