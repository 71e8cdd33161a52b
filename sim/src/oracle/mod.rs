//! The oracles: what must hold whatever the network does. Each is fed as messages leave their
//! senders and costs O(1) per step; the full audit waits until rest.
//!
//! | oracle | holds | silent under |
//! |---|---|---|
//! | transactions | one final per server transaction, nothing after it (RFC 3261 §17.2) | mangle |
//! | sequence | CSeq of what the system under test sends in a dialog rises (§12.2.1.1) | mangle |
//! | media | RTP goes only to the party that was told the port; stamps name the same call | - |
//! | ports | a port belongs to at most one stream, and rests before the next | - |
//! | voice | RTP sequence numbers rise by one and are never used again | duplicate, reorder |
//! | records | one truthful CDR per attempt | mangle, crash |
//! | tenants | no octet of one tenant reaches another | - |
//! | lawyer | every message that the system under test sends is well-formed | mangle |
//! | rest | at rest nothing is alive but registrations; every attempt has ended | - |
mod lawyer;
mod media;
mod records;
mod sequence;
mod tenants;
#[cfg(test)]
mod tests;
mod transactions;

pub use records::Attempts;

use crate::host::HostId;
use crate::trail::Arrow;
use bitspath_core::Instant;
use bitspath_core::store::CdrRow;
use bytes::Bytes;
use std::net::SocketAddr;

/// A broken invariant: when, which, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub at: Instant,
    pub oracle: &'static str,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Oracles {
    pub broken: Vec<Broken>,
    /// Which hosts are the system under test.
    sut: Vec<bool>,
    /// A hostile middlebox is on the way: only the safety oracles judge.
    pub mangled: bool,
    /// Packets are duplicated or overtake each other: sequence numbers prove nothing.
    pub disordered: bool,
    transactions: transactions::Transactions,
    sequence: sequence::Sequence,
    pub media: media::Media,
    pub attempts: Attempts,
    tenants: tenants::Tenants,
}

impl Oracles {
    pub fn under_test(&mut self, host: HostId) {
        let at = usize::from(host.0);
        self.sut.resize(self.sut.len().max(at + 1), false);
        self.sut[at] = true;
    }

    pub fn is_under_test(&self, host: HostId) -> bool {
        self.sut.get(usize::from(host.0)).copied().unwrap_or(false)
    }

    /// A host belongs to a tenant; these words of it must reach no other tenant.
    pub fn belongs(&mut self, host: HostId, tenant: &str, secrets: &[&str]) {
        self.tenants.belongs(host, tenant, secrets);
    }

    pub fn broke(&mut self, at: Instant, oracle: &'static str, what: String) {
        self.broken.push(Broken { at, oracle, what });
    }

    /// A SIP message leaves its sender.
    pub fn sip(&mut self, now: Instant, arrow: &Arrow) {
        if !self.is_under_test(arrow.from) {
            return;
        }
        let mut say = |oracle, what| self.broken.push(Broken { at: now, oracle, what });
        if let Some(to) = arrow.to {
            self.media.offered(to, &arrow.seen);
            self.tenants.check(to, &arrow.seen, &mut say);
        }
        if self.mangled {
            return;
        }
        self.attempts.sip(now, &arrow.seen, arrow.again);
        if arrow.again {
            return;
        }
        self.transactions.sent(arrow, &mut say);
        self.sequence.sent(&arrow.seen, &mut say);
        lawyer::check(&arrow.seen, &mut say);
    }

    /// An RTP or RTCP packet leaves its sender.
    pub fn rtp(
        &mut self,
        now: Instant,
        from: HostId,
        to: Option<HostId>,
        from_addr: SocketAddr,
        to_addr: SocketAddr,
        bytes: &Bytes,
    ) {
        if !self.is_under_test(from) {
            return;
        }
        let ordered = !self.disordered;
        let mut say = |oracle, what| self.broken.push(Broken { at: now, oracle, what });
        self.media.sent(to, from_addr, to_addr, bytes, ordered, &mut say);
    }

    /// The media plane opened or closed a port of ours.
    pub fn port(&mut self, now: Instant, port: u16, open: bool) {
        let mut say = |oracle, what| self.broken.push(Broken { at: now, oracle, what });
        self.media.port(now, port, open, &mut say);
    }

    /// A call record was written.
    pub fn cdr(&mut self, now: Instant, row: &CdrRow) {
        // A branch changed on the way makes two attempts of one Call-ID.
        if self.mangled {
            return;
        }
        let mut say = |oracle, what| self.broken.push(Broken { at: now, oracle, what });
        self.attempts.record(row, &mut say);
    }

    /// The system under test lost its memory: what it sent before binds it no longer.
    pub fn crashed(&mut self) {
        self.transactions = transactions::Transactions::default();
        self.sequence = sequence::Sequence::default();
        self.media.crashed();
        self.attempts.crashed();
    }

    /// Nothing moves any more: every attempt must be on record, once and truthfully.
    pub fn at_rest(&mut self, now: Instant) {
        if self.mangled {
            return;
        }
        let mut say = |oracle, what| self.broken.push(Broken { at: now, oracle, what });
        self.attempts.at_rest(&mut say);
        self.transactions.at_rest(&mut say);
    }
}

/// How an oracle speaks up.
pub(crate) type Say<'a> = dyn FnMut(&'static str, String) + 'a;
